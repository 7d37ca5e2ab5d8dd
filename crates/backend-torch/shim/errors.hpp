// Outcomes: no exception leaves the library.
#pragma once

#include <c10/util/Exception.h>

#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>
#include <string>

#include "redisai_torch_shim.h"

namespace redisai {

// An output that is neither a tensor nor made of tensors.
struct NoTensor {};

inline void put_text(rts_text *place, const char *data, size_t len) noexcept {
  if (place == nullptr) return;
  place->data = static_cast<char *>(std::malloc(len + 1));
  place->len = place->data == nullptr ? 0 : len;
  if (place->data == nullptr) return;
  std::memcpy(place->data, data, len);
  place->data[len] = 0;
}

inline std::string take_text(rts_text &text) {
  std::string taken(text.data == nullptr ? "" : text.data, text.len);
  std::free(text.data);
  text = {};
  return taken;
}

// What `work` comes to; the text of an exception goes to `error`.
template <class Work>
int guarded(rts_text *error, Work &&work) noexcept {
  auto failed = [&](const char *text) {
    put_text(error, text, std::strlen(text));
    return RTS_ERROR;
  };
  try {
    return work();
  } catch (const NoTensor &) {
    return RTS_NO_TENSOR;
  } catch (const c10::Error &e) {
    return failed(e.what_without_backtrace());
  } catch (const std::bad_alloc &) {
    return RTS_NO_MEMORY;
  } catch (const std::exception &e) {
    return failed(e.what());
  } catch (...) {
    return failed("an exception of an unknown type");
  }
}

}  // namespace redisai
