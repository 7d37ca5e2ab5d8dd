// Tensors of the host as torch's, and torch's as the host's.
#pragma once

#include <vector>

#include "host.hpp"

namespace redisai {

struct Type {
  c10::ScalarType scalar;
  uint8_t code;
  uint8_t bits;
};

// One row a type that both sides have.
inline constexpr Type kTypes[] = {
    {c10::ScalarType::Float, 2, 32},   {c10::ScalarType::Double, 2, 64},
    {c10::ScalarType::Half, 2, 16},    {c10::ScalarType::BFloat16, 4, 16},
    {c10::ScalarType::Char, 0, 8},     {c10::ScalarType::Short, 0, 16},
    {c10::ScalarType::Int, 0, 32},     {c10::ScalarType::Long, 0, 64},
    {c10::ScalarType::Byte, 1, 8},     {c10::ScalarType::UInt16, 1, 16},
    {c10::ScalarType::UInt32, 1, 32},  {c10::ScalarType::UInt64, 1, 64},
    {c10::ScalarType::Bool, 6, 8},
};

// A tensor over the host's memory, on the device. On the processor nothing is copied unless `copy`.
inline at::Tensor from_host(const rts_tensor &given, c10::Device device, bool copy) {
  for (const Type &type : kTypes) {
    if (type.code != given.code || type.bits != given.bits) continue;
    auto tensor = at::from_blob(given.data, at::IntArrayRef(given.dims, given.rank),
                                at::TensorOptions().dtype(type.scalar));
    if (!device.is_cpu()) return tensor.to(device);
    return copy ? tensor.clone() : tensor;
  }
  TORCH_CHECK(false, "Unsupported code ", static_cast<int>(given.code));
}

// A compact tensor in the processor's memory.
inline at::Tensor to_cpu(const at::Tensor &tensor) {
  TORCH_CHECK(tensor.layout() == c10::kStrided, "an output's layout is ", tensor.layout(),
              ", not strided");
  // Each of the operators below is a way through torch's dispatcher, also where it does nothing.
  if (tensor.is_cpu() && tensor.is_contiguous() && !tensor.is_conj() && !tensor.is_neg()) {
    return tensor;
  }
  return tensor.to(c10::kCPU).resolve_conj().resolve_neg().contiguous();
}

// Describes a tensor of ours and passes its reference on to the receiver.
inline rts_tensor to_host(at::Tensor tensor) {
  rts_tensor result{};
  if (!tensor.defined()) return result;
  const Type *type = nullptr;
  for (const Type &row : kTypes) {
    if (row.scalar == tensor.scalar_type()) type = &row;
  }
  TORCH_CHECK(type != nullptr, c10::toString(tensor.scalar_type()), " is not supported by dlpack");
  const auto &storage = tensor.storage();
  const bool ours = storage.data_ptr().get_deleter() == &give_back;
  const bool alone = tensor.use_count() == 1 && storage.use_count() == 1;
  result.bytes = tensor.nbytes();
  // A view that keeps a block much larger than itself is better copied.
  const bool small = storage.nbytes() / 2 > result.bytes + 4096;
  result.shared = !ours || !alone || small;
  result.data = tensor.data_ptr();
  result.dims = tensor.sizes().data();
  result.rank = static_cast<size_t>(tensor.dim());
  result.code = type->code;
  result.bits = type->bits;
  result.handle = tensor.unsafeReleaseTensorImpl();
  return result;
}

inline void drop_tensor(void *handle) noexcept {
  if (handle == nullptr) return;
  auto *impl = static_cast<c10::TensorImpl *>(handle);
  c10::intrusive_ptr<c10::TensorImpl, c10::UndefinedTensorImpl>::reclaim(impl).reset();
}

// The same for several: an exception leaves none behind.
inline void to_host(std::vector<at::Tensor> tensors, rts_tensor *places) {
  size_t given = 0;
  try {
    for (auto &tensor : tensors) {
      places[given] = to_host(std::move(tensor));
      given++;
    }
  } catch (...) {
    while (given > 0) drop_tensor(places[--given].handle);
    throw;
  }
}

}  // namespace redisai
