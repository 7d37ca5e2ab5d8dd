// What a function takes and gives, which operators it uses, what it writes to.
#pragma once

#include <torch/csrc/jit/ir/alias_analysis.h>
#include <torch/csrc/jit/passes/inliner.h>

#include <deque>
#include <set>
#include <string>
#include <vector>

#include "stops.hpp"

namespace redisai {

// A description and all that it points at. Items of a deque stay where they are.
class Described {
 public:
  // One function; `first` inputs (a module itself) are left out.
  void add(jit::GraphFunction &function, size_t first) {
    const auto &schema = function.getSchema();
    auto graph = function.graph()->copy();
    inline_calls(*graph);
    jit::AliasDb aliases(graph);
    const bool writes = writes_to_tensors(graph->block());
    // Torch's analysis does not look into what is forked.
    const bool forks = has(graph->block(), c10::prim::fork);
    values_.emplace_back();
    auto &inputs = values_.back();
    for (size_t i = first; i < schema.arguments().size(); i++) {
      const auto &argument = schema.arguments()[i];
      rts_value value{text(argument.name()), kind_of(*argument.type(), false), 0, 0};
      value.has_default = argument.default_value().has_value();
      value.written = value.kind == RTS_TENSORS || forks
                          ? writes
                          : writes && aliases.hasWriters(graph->inputs().at(i));
      inputs.push_back(value);
    }
    values_.emplace_back();
    auto &outputs = values_.back();
    for (const auto &result : schema.returns()) add_output(*result.type(), outputs);
    keeps_state_ = keeps_state_ || (forks ? writes || has(graph->block(), c10::prim::SetAttr)
                                          : writes_to_attributes(graph->block(), aliases));
    functions_.push_back({text(function.name()), inputs.data(), inputs.size(), outputs.data(),
                          outputs.size()});
  }

  // A package's one function, of which torch says nothing.
  void add_package(size_t n_inputs, size_t n_outputs) {
    const auto &inputs = values_.emplace_back(n_inputs, rts_value{"", RTS_TENSOR, 0, 1});
    const auto &outputs = values_.emplace_back(n_outputs, rts_value{"", RTS_TENSOR, 0, 0});
    keeps_state_ = true;
    functions_.push_back({"forward", inputs.data(), n_inputs, outputs.data(), n_outputs});
  }

  // The operators of a function that the above may call.
  void add_operators(jit::GraphFunction &function) { add_operators(function.graph()->block()); }

  // Whether an operator of this name was seen.
  bool uses(const std::string &name) const { return known_.count(name) != 0; }

  rts_description get() const {
    return {functions_.data(), functions_.size(), names_.data(), names_.size(),
            static_cast<uint8_t>(keeps_state_)};
  }

 private:
  const char *text(const std::string &text) { return texts_.emplace_back(text).c_str(); }

  static uint8_t kind_of(const c10::Type &type, bool output) {
    if (auto optional = type.cast<c10::OptionalType>()) {
      return kind_of(*optional->getElementType(), output);
    }
    if (type.cast<c10::TensorType>()) return RTS_TENSOR;
    if (auto list = type.cast<c10::ListType>()) {
      if (list->getElementType()->cast<c10::TensorType>()) return RTS_TENSORS;
      if (list->getElementType()->cast<c10::StringType>()) return RTS_STRINGS;
    }
    auto dict = type.cast<c10::DictType>();
    if (output && dict && dict->getValueType()->cast<c10::TensorType>()) return RTS_TENSORS;
    return RTS_OTHER;
  }

  static void add_output(const c10::Type &type, std::vector<rts_value> &outputs) {
    if (type.kind() == c10::TypeKind::NoneType) return;
    if (auto tuple = type.cast<c10::TupleType>()) {
      for (const auto &element : tuple->elements()) add_output(*element, outputs);
      return;
    }
    outputs.push_back({"", kind_of(type, true), 0, 0});
  }

  // Forked graphs too, which torch leaves alone.
  static void inline_calls(jit::Graph &graph) {
    jit::Inline(graph);
    inline_forks(graph.block());
  }

  static void inline_forks(jit::Block *block) {
    for (jit::Node *node : block->nodes()) {
      for (jit::Block *inner : node->blocks()) inline_forks(inner);
      if (node->hasAttribute(c10::attr::Subgraph)) inline_calls(*node->g(c10::attr::Subgraph));
    }
  }

  // The blocks within a node, those of a forked graph among them.
  static std::vector<jit::Block *> blocks_of(jit::Node *node) {
    std::vector<jit::Block *> blocks(node->blocks().begin(), node->blocks().end());
    if (node->hasAttribute(c10::attr::Subgraph)) {
      blocks.push_back(node->g(c10::attr::Subgraph)->block());
    }
    return blocks;
  }

  // Whether a node of this kind is there.
  static bool has(jit::Block *block, c10::Symbol kind) {
    for (jit::Node *node : block->nodes()) {
      if (node->kind() == kind) return true;
      for (jit::Block *inner : blocks_of(node)) {
        if (has(inner, kind)) return true;
      }
    }
    return false;
  }

  static bool writes_to_tensors(jit::Block *block) {
    for (jit::Node *node : block->nodes()) {
      const auto *schema = node->maybeSchema();
      if (schema != nullptr) {
        for (const auto &argument : schema->arguments()) {
          const bool tensors = kind_of(*argument.type(), false) != RTS_STRINGS;
          if (argument.alias_info() != nullptr && argument.alias_info()->isWrite() && tensors) {
            return true;
          }
        }
      }
      for (jit::Block *inner : blocks_of(node)) {
        if (writes_to_tensors(inner)) return true;
      }
    }
    return false;
  }

  static bool writes_to_attributes(jit::Block *block, const jit::AliasDb &aliases) {
    for (jit::Node *node : block->nodes()) {
      if (node->kind() == c10::prim::SetAttr) return true;
      if (node->kind() == c10::prim::GetAttr && aliases.hasWriters(node->output())) return true;
      for (jit::Block *inner : node->blocks()) {
        if (writes_to_attributes(inner, aliases)) return true;
      }
    }
    return false;
  }

  void add_operators(jit::Block *block) {
    for (jit::Node *node : block->nodes()) {
      const char *name = node->kind().toQualString();
      if (known_.insert(name).second) names_.push_back(text(name));
      for (jit::Block *inner : blocks_of(node)) add_operators(inner);
    }
  }

  std::deque<std::string> texts_;
  std::deque<std::vector<rts_value>> values_;
  std::vector<rts_function> functions_;
  std::set<std::string> known_;
  std::vector<const char *> names_;
  bool keeps_state_ = false;
};

}  // namespace redisai
