// Runs that can be stopped: an operator of ours looks at the run's flag in every turn of a loop and at
// the head of every function, so that loops without a kernel end too.
#pragma once

#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/ir/ir.h>
#include <torch/csrc/jit/runtime/custom_operator.h>

#include "host.hpp"

namespace redisai {

namespace jit = torch::jit;

inline void check_stop_now() { TORCH_CHECK(!stopped(), "the run was stopped"); }

inline void check_stop(jit::Stack &) { check_stop_now(); }

inline void add_stop_operator() {
  // Kept for ever: taking operators out when the process ends would come after torch's own end.
  static auto *const kept = new jit::RegisterOperators(
      {jit::Operator("redisai::check_stop() -> ()", check_stop,
                     c10::AliasAnalysisKind::CONSERVATIVE)});
  (void)kept;
}

inline void put_check(jit::Graph &graph, jit::Block *block) {
  static const auto kind = c10::Symbol::fromQualString("redisai::check_stop");
  block->prependNode(graph.create(kind, 0));
}

inline void put_checks(jit::Graph &graph, jit::Block *block) {
  for (jit::Node *node : block->nodes()) {
    for (jit::Block *inner : node->blocks()) {
      put_checks(graph, inner);
      if (node->kind() == c10::prim::Loop) put_check(graph, inner);
    }
    // What `fork` runs is a graph of its own.
    if (node->hasAttribute(c10::attr::Subgraph)) {
      jit::Graph &forked = *node->g(c10::attr::Subgraph);
      put_checks(forked, forked.block());
      put_check(forked, forked.block());
    }
  }
}

// To be called before a function runs first: torch compiles a copy of its graph then.
inline void make_stoppable(jit::GraphFunction &function) {
  auto &graph = *function.graph();
  put_checks(graph, graph.block());
  put_check(graph, graph.block());
}

}  // namespace redisai
