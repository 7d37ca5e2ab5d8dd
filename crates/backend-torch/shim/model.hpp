// Models and scripts, and their runs.
#pragma once

#include <caffe2/serialize/read_adapter_interface.h>
#include <torch/csrc/inductor/aoti_package/model_package_loader.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/serialization/import.h>

#include <algorithm>
#include <memory>

#include "description.hpp"
#include "tensors.hpp"

struct rts_model {
  std::optional<torch::jit::Module> module;
  std::shared_ptr<torch::jit::CompilationUnit> unit;
  std::vector<torch::jit::Function *> functions;
  // Instead of the above.
  std::unique_ptr<torch::inductor::AOTIModelPackageLoader> package;
  redisai::Described described;
  c10::Device device{c10::kCPU};
  // Some function may fork.
  bool forks = false;
};

namespace redisai {

// The archive where it lies.
class Bytes final : public caffe2::serialize::ReadAdapterInterface {
 public:
  explicit Bytes(rts_bytes bytes) : bytes_(bytes) {}
  size_t size() const override { return bytes_.len; }
  size_t read(uint64_t at, void *to, size_t n, const char *) const override {
    if (at >= bytes_.len) return 0;
    n = std::min<size_t>(n, bytes_.len - at);
    std::memcpy(to, bytes_.data + at, n);
    return n;
  }

 private:
  rts_bytes bytes_;
};

inline c10::Device device_of(int cuda) {
  if (cuda < 0) return c10::Device(c10::kCPU);
  return {c10::kCUDA, static_cast<c10::DeviceIndex>(cuda)};
}

// Describes a function to be run from outside and makes all functions of the unit stoppable.
inline void finish(rts_model &model, size_t first_input) {
  // First of all: whoever puts a function into its caller keeps an optimized copy of it.
  for (auto *function : model.unit->get_functions()) {
    if (auto *graph = jit::tryToGraphFunction(*function)) {
      model.described.add_operators(*graph);
      make_stoppable(*graph);
    }
  }
  for (auto *function : model.functions) {
    model.described.add(jit::toGraphFunction(*function), first_input);
  }
  model.forks = model.described.uses("prim::fork");
}

// What `fork` begins is done at once and here: torch's own threads know neither this run's deadline nor
// its context, and would outlive it.
inline c10::IValue call(const rts_model &model, jit::Function &function, jit::Stack stack) {
  if (!model.forks) return function(std::move(stack));
  const auto result = function.runAsync(stack, [](std::function<void()> task) { task(); });
  result->waitAndThrow();
  return result->value();
}

inline std::unique_ptr<rts_model> load(rts_bytes archive, int cuda) {
  Quiet quiet;
  auto model = std::make_unique<rts_model>();
  model->device = device_of(cuda);
  model->module = jit::load(std::make_shared<Bytes>(archive), model->device, false);
  model->unit = model->module->_ivalue()->compilation_unit();
  model->functions.push_back(&model->module->get_method("forward").function());
  finish(*model, 1);
  return model;
}

// A list may be in itself.
inline constexpr size_t kOutputDepth = 128;

inline void collect(const c10::IValue &value, std::vector<at::Tensor> &tensors, size_t depth = 0) {
  TORCH_CHECK(depth <= kOutputDepth, "an output is nested too deeply: more than ", kOutputDepth,
              " levels");
  if (value.isTensor()) {
    tensors.push_back(value.toTensor());
  } else if (value.isNone()) {
    tensors.emplace_back();
  } else if (value.isTuple()) {
    for (const auto &element : value.toTupleRef().elements()) {
      collect(element, tensors, depth + 1);
    }
  } else if (value.isList()) {
    for (const auto &element : value.toListRef()) collect(element, tensors, depth + 1);
  } else if (value.isGenericDict()) {
    for (const auto &entry : value.toGenericDict()) {
      collect(entry.value(), tensors, depth + 1);
    }
  } else {
    throw NoTensor{};
  }
}

inline jit::Stack stack_of(const rts_model &model, const rts_run &run) {
  jit::Stack stack;
  const bool copy = model.described.copies(run.function);
  stack.reserve(run.n_arguments + 1);
  if (model.module) stack.emplace_back(model.module->_ivalue());
  for (size_t i = 0; i < run.n_arguments; i++) {
    const auto &argument = run.arguments[i];
    if (argument.kind == RTS_TENSOR) {
      stack.emplace_back(from_host(run.inputs[argument.first], model.device, copy));
      continue;
    }
    c10::List<at::Tensor> tensors;
    c10::List<std::string> strings;
    for (size_t at = argument.first; at < argument.first + argument.count; at++) {
      if (argument.kind == RTS_TENSORS) {
        tensors.push_back(from_host(run.inputs[at], model.device, copy));
      } else {
        strings.push_back(std::string(run.strings[at].data, run.strings[at].len));
      }
    }
    if (argument.kind == RTS_TENSORS) {
      stack.emplace_back(std::move(tensors));
    } else {
      stack.emplace_back(std::move(strings));
    }
  }
  return stack;
}

// All of a package's inputs, which take the place of the arguments.
inline std::vector<at::Tensor> run_package(rts_model &model, const rts_run &run) {
  std::vector<at::Tensor> inputs;
  for (size_t i = 0; i < run.n_arguments; i++) {
    inputs.push_back(from_host(run.inputs[run.arguments[i].first], model.device, true));
  }
  return model.package->boxed_run(std::move(inputs));
}

// One of the functions of a model or script.
inline std::vector<at::Tensor> run_function(rts_model &model, const rts_run &run) {
  std::vector<at::Tensor> tensors;
  auto &function = *model.functions.at(run.function);
  const auto &returns = function.getSchema().returns();
  const bool nothing =
      returns.size() == 1 && returns[0].type()->kind() == c10::TypeKind::NoneType;
  c10::IValue result = call(model, function, stack_of(model, run));
  if (!nothing) collect(result, tensors);
  return tensors;
}

inline int run(rts_model &model, const rts_run &run, rts_tensor *outputs, size_t capacity,
               size_t *count) {
  Quiet quiet;
  ContextGuard context({run.stop, run.call_context});
  auto tensors = model.package ? run_package(model, run) : run_function(model, run);
  *count = tensors.size();
  if (tensors.size() > capacity) return RTS_OK;
  for (auto &tensor : tensors) {
    if (tensor.defined()) tensor = to_cpu(tensor);
  }
  to_host(std::move(tensors), outputs);
  return RTS_OK;
}

}  // namespace redisai
