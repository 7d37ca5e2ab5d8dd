// What a function takes and gives, which operators it uses, whether it could write to its inputs.
#pragma once

#include <torch/csrc/jit/ir/alias_analysis.h>
#include <torch/csrc/jit/passes/inliner.h>

#include <algorithm>
#include <deque>
#include <set>
#include <string>
#include <string_view>
#include <utility>
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
    TORCH_CHECK(!any_node(graph->block(), fills_with_itself),
                "a list or dict cannot be put into itself");
    const bool writes = may_write(graph->block());
    // Torch's analysis does not look into what is forked, and nobody into what could not be put in.
    const bool forks = has(graph->block(), c10::prim::fork);
    const bool calls = any_node(graph->block(), is_call);
    values_.emplace_back();
    auto &inputs = values_.back();
    for (size_t i = first; i < schema.arguments().size(); i++) {
      const auto &argument = schema.arguments()[i];
      rts_value value{text(argument.name()), kind_of(*argument.type(), false), 0};
      value.has_default = argument.default_value().has_value();
      inputs.push_back(value);
    }
    values_.emplace_back();
    auto &outputs = values_.back();
    for (const auto &result : schema.returns()) add_output(*result.type(), outputs);
    keeps_state_ = keeps_state_ || calls || (forks && writes) ||
                   has(graph->block(), c10::prim::SetAttr) ||
                   writes_to_attributes(graph->block(), aliases);
    copies_.push_back(writes);
    functions_.push_back({text(function.name()), inputs.data(), inputs.size(), outputs.data(),
                          outputs.size()});
  }

  // A package's one function, of which torch says nothing.
  void add_package(size_t n_inputs, size_t n_outputs) {
    const auto &inputs = values_.emplace_back(n_inputs, rts_value{"", RTS_TENSOR, 0});
    const auto &outputs = values_.emplace_back(n_outputs, rts_value{"", RTS_TENSOR, 0});
    keeps_state_ = true;
    copies_.push_back(true);
    functions_.push_back({"forward", inputs.data(), n_inputs, outputs.data(), n_outputs});
  }

  // The operators of a function that the above may call.
  void add_operators(jit::GraphFunction &function) { add_operators(function.graph()->block()); }

  // Whether a function gets copies of its inputs: it could change them, or keep them beyond its run.
  bool copies(size_t function) const { return copies_.at(function); }

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
    outputs.push_back({"", kind_of(type, true), 0});
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

  // Whether a node is there of which `test` says yes.
  template <class Test>
  static bool any_node(jit::Block *block, const Test &test) {
    for (jit::Node *node : block->nodes()) {
      if (test(node)) return true;
      for (jit::Block *inner : blocks_of(node)) {
        if (any_node(inner, test)) return true;
      }
    }
    return false;
  }

  static bool has(jit::Block *block, c10::Symbol kind) {
    return any_node(block, [&](jit::Node *node) { return node->kind() == kind; });
  }

  // Whether somebody could write to tensors, or put them where they outlive the run: into a list, a
  // dict, an object. Whose tensors those are is not asked. Torch's analysis goes by what operators
  // declare, and many give their input itself without a word: `einsum`, `type_as`, `dropout`.
  static bool may_write(jit::Block *block) {
    return any_node(block, [](jit::Node *node) {
      if (is_call(node) || writes_statistics(node)) return true;
      if (node->kind() == c10::prim::SetAttr) return may_hold_tensors(*node->input(1)->type());
      return any_written(node, may_hold_tensors);
    });
  }

  // A call of what is known only when it runs: a method of an interface, of a class of C++.
  static bool is_call(jit::Node *node) {
    return node->kind() == c10::prim::CallMethod || node->kind() == c10::prim::CallFunction;
  }

  // Whether the node writes to a value of a type of which `test` says yes.
  static bool any_written(jit::Node *node, bool (*test)(const c10::Type &)) {
    const auto *schema = node->maybeSchema();
    if (schema == nullptr) return false;
    const auto &arguments = schema->arguments();
    for (size_t i = 0; i < arguments.size() && i < node->inputs().size(); i++) {
      const auto *aliases = arguments[i].alias_info();
      if (aliases != nullptr && aliases->isWrite() && test(*node->input(i)->type())) return true;
    }
    return false;
  }

  static bool may_hold_tensors(const c10::Type &type) {
    switch (type.kind()) {
      case c10::TypeKind::IntType:
      case c10::TypeKind::FloatType:
      case c10::TypeKind::ComplexType:
      case c10::TypeKind::NumberType:
      case c10::TypeKind::BoolType:
      case c10::TypeKind::StringType:
      case c10::TypeKind::NoneType:
      case c10::TypeKind::DeviceObjType:
        return false;
      case c10::TypeKind::ListType:
      case c10::TypeKind::DictType:
      case c10::TypeKind::TupleType:
      case c10::TypeKind::OptionalType: {
        const auto &parts = type.containedTypes();
        return std::any_of(parts.begin(), parts.end(),
                           [](const c10::TypePtr &part) { return may_hold_tensors(*part); });
      }
      default:
        return true;
    }
  }

  // Operators that write to statistics, and do not declare it. Those of a module's own are no input.
  static bool writes_statistics(jit::Node *node) {
    static const std::pair<const char *, size_t> kFirst[] = {
        {"aten::batch_norm", 3},           {"aten::_batch_norm_impl_index", 3},
        {"aten::native_batch_norm", 3},    {"aten::instance_norm", 3},
        {"aten::cudnn_batch_norm", 3},     {"aten::miopen_batch_norm", 3},
        {"aten::batch_norm_update_stats", 1}, {"aten::batch_norm_gather_stats", 3},
        {"aten::batch_norm_gather_stats_with_counts", 3},
    };
    const std::string_view name = node->kind().toQualString();
    for (const auto &[known, first] : kFirst) {
      if (name != known) continue;
      for (size_t i = first; i < first + 2 && i < node->inputs().size(); i++) {
        if (!is_own(node->input(i))) return true;
      }
    }
    return false;
  }

  // `l.append(l)`: torch's optimizer makes it a circle of nodes, on which it then runs for ever.
  static bool fills_with_itself(jit::Node *node) {
    if (!any_written(node, is_container)) return false;
    // `l.extend(l)`, `l += l`, `d.update(d)`: what is in it, not the list itself.
    const std::string_view name = node->kind().toQualString();
    const bool spreads =
        name == "aten::extend" || name == "aten::add_" || name == "aten::update";
    for (size_t i = 1; i < node->inputs().size(); i++) {
      if (spreads && node->input(i) == node->input(0)) continue;
      if (holds(node->input(i), node->input(0))) return true;
    }
    return false;
  }

  static bool holds(const jit::Value *value, const jit::Value *other) {
    if (value == other) return is_container(*value->type());
    const jit::Node *node = value->node();
    switch (node->kind()) {
      case c10::prim::TupleConstruct:
      case c10::prim::ListConstruct:
      case c10::prim::DictConstruct:
      case c10::prim::unchecked_cast:
      case c10::prim::unchecked_unwrap_optional:
      case c10::aten::_unwrap_optional:
        return std::any_of(node->inputs().begin(), node->inputs().end(),
                           [&](const jit::Value *part) { return holds(part, other); });
      case c10::prim::If:
        return std::any_of(node->blocks().begin(), node->blocks().end(), [&](const jit::Block *branch) {
          return holds(branch->outputs().at(value->offset()), other);
        });
      default:
        return false;
    }
  }

  // Whether a value is an attribute, a constant, or one of these.
  static bool is_own(const jit::Value *value) {
    const jit::Node *node = value->node();
    switch (node->kind()) {
      case c10::prim::Constant:
      case c10::prim::GetAttr:
        return true;
      case c10::prim::unchecked_cast:
      case c10::prim::unchecked_unwrap_optional:
      case c10::aten::_unwrap_optional:
        return is_own(node->input(0));
      case c10::prim::If:
        for (const jit::Block *branch : node->blocks()) {
          if (!is_own(branch->outputs().at(value->offset()))) return false;
        }
        return true;
      default:
        return false;
    }
  }

  // Lists, dicts and objects are looked at by type alone: one may have come out of another.
  static bool writes_to_attributes(jit::Block *block, const jit::AliasDb &aliases) {
    const auto written = [&](jit::Node *node) {
      return node->kind() == c10::prim::GetAttr && aliases.hasWriters(node->output());
    };
    const auto container = [](jit::Node *node) {
      return node->kind() == c10::prim::GetAttr && is_container(*node->output()->type());
    };
    const auto fills = [](jit::Node *node) { return any_written(node, is_container); };
    return any_node(block, written) || (any_node(block, container) && any_node(block, fills));
  }

  static bool is_container(const c10::Type &type) {
    switch (type.kind()) {
      case c10::TypeKind::ListType:
      case c10::TypeKind::DictType:
      case c10::TypeKind::AnyType:
      case c10::TypeKind::UnionType:
        return true;
      case c10::TypeKind::ClassType:
        return !type.is_module();
      case c10::TypeKind::TupleType:
      case c10::TypeKind::OptionalType: {
        const auto &parts = type.containedTypes();
        return std::any_of(parts.begin(), parts.end(),
                           [](const c10::TypePtr &part) { return is_container(*part); });
      }
      default:
        return false;
    }
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
  std::vector<bool> copies_;
  std::set<std::string> known_;
  std::vector<const char *> names_;
  bool keeps_state_ = false;
};

}  // namespace redisai
