// Divisions of integers that torch leaves to the processor, which ends the process over them: by zero,
// and of the smallest number by -1. The operators themselves are changed, since torch also calls them to
// compute constants when it compiles.
#pragma once

#include <ATen/ATen.h>
#include <torch/csrc/jit/runtime/operator.h>

#include <limits>
#include <utility>

namespace redisai {

namespace jit = torch::jit;

constexpr int64_t kSmallest = std::numeric_limits<int64_t>::min();

inline bool are_integers(const jit::Stack &stack) {
  return jit::peek(stack, 0, 2).isInt() && jit::peek(stack, 1, 2).isInt();
}

inline void refuse_zero(jit::Stack &stack) {
  TORCH_CHECK(!are_integers(stack) || jit::peek(stack, 1, 2).toInt() != 0,
              "ZeroDivisionError: integer division or modulo by zero");
}

inline void refuse_overflow(bool overflows) {
  TORCH_CHECK(!overflows, "OverflowError: the quotient of integers is out of range");
}

inline void check_quotient(jit::Stack &stack) {
  if (!are_integers(stack)) return;
  refuse_overflow(jit::peek(stack, 0, 2).toInt() == kSmallest &&
                  jit::peek(stack, 1, 2).toInt() == -1);
}

// Remainders and common divisors: what -1 gives is what 1 gives, for which nothing overflows.
inline void forget_sign_of_one(jit::Stack &stack) {
  if (!are_integers(stack)) return;
  for (size_t i = 0; i < 2; i++) {
    c10::IValue &operand = jit::peek(stack, i, 2);
    if (operand.toInt() == -1) operand = static_cast<int64_t>(1);
  }
}

// `div(…, rounding_mode="trunc")`; torch guards the other divisions of tensors.
inline void check_tensors(const jit::Stack &stack, size_t count) {
  const c10::IValue &left = jit::peek(stack, 0, count);
  const c10::IValue &right = jit::peek(stack, 1, count);
  const c10::IValue &mode = jit::peek(stack, 2, count);
  if (!mode.isString() || mode.toStringRef() != "trunc") return;
  const at::Tensor a = left.toTensor();
  const bool tensors = right.isTensor();
  const auto type =
      tensors ? at::result_type(a, right.toTensor()) : at::result_type(a, right.toScalar());
  if (!a.is_cpu() || (type != c10::kInt && type != c10::kLong)) return;
  const int64_t smallest = type == c10::kInt ? std::numeric_limits<int32_t>::min() : kSmallest;
  const at::Tensor b = tensors ? right.toTensor() : at::scalar_tensor(right.toScalar(), type);
  refuse_overflow(a.eq(smallest).logical_and(b.eq(-1)).any().item<bool>());
}

// Has some of the operators of a name do `first` before what they do. They stay where they are: nodes of
// graphs point at them, and of two that fit a call torch takes the first.
template <class Which, class First>
void precede(const char *name, Which which, First first) {
  for (const auto &one : jit::getAllOperatorsFor(c10::Symbol::fromQualString(name))) {
    if (!which(*one)) continue;
    const c10::FunctionSchema schema = one->schema();
    auto both = [first, count = schema.arguments().size(),
                 then = one->getOperation()](jit::Stack &stack) mutable {
      first(stack, count);
      then(stack);
    };
    *one = jit::Operator(schema.name(), schema.overload_name(), schema.arguments(), schema.returns(),
                         std::move(both), one->aliasAnalysisKind());
  }
}

inline void guard_divisions() {
  const auto numbers = [](const jit::Operator &it) {
    return !it.isC10Op() && it.schema().arguments().size() == 2;
  };
  const auto rounds = [](const jit::Operator &it) {
    const auto &arguments = it.schema().arguments();
    return arguments.size() > 2 && arguments[2].name() == "rounding_mode";
  };
  for (const char *name : {"aten::remainder", "aten::__round_to_zero_floordiv"}) {
    precede(name, numbers, [](jit::Stack &stack, size_t) { refuse_zero(stack); });
  }
  for (const char *name : {"aten::floordiv", "aten::divmod", "aten::__round_to_zero_floordiv"}) {
    precede(name, numbers, [](jit::Stack &stack, size_t) { check_quotient(stack); });
  }
  for (const char *name : {"aten::remainder", "aten::gcd"}) {
    precede(name, numbers, [](jit::Stack &stack, size_t) { forget_sign_of_one(stack); });
  }
  for (const char *name : {"aten::div", "aten::div_", "aten::divide", "aten::divide_"}) {
    precede(name, rounds, check_tensors);
  }
}

}  // namespace redisai
