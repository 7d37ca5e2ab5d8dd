// What scripts ask of the server: `redis.execute`, `redis.pcall`, `redis.asList`,
// `redisAI.model_execute`.
#pragma once

#include <charconv>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "stops.hpp"
#include "tensors.hpp"

namespace redisai {

// A reply of the server in RESP2, as values of TorchScript: str of any bytes, int of 64 bits, None,
// List[Any]. An error within the reply is an exception.
class Reply {
 public:
  explicit Reply(std::string_view bytes) : rest_(bytes) {}

  c10::IValue parse(size_t depth = 0) {
    TORCH_CHECK(depth <= kDepth, "the reply of a Redis command is nested too deeply");
    const std::string_view line = this->line();
    TORCH_CHECK(!line.empty(), "the reply of a Redis command is cut short");
    const std::string_view text = line.substr(1);
    switch (line[0]) {
      case '+':
        return std::string(text);
      case '-':
        TORCH_CHECK(false, "Redis command returned an error: ", std::string(text));
      case ':':
        return number(text);
      case '$':
        return bulk(number(text));
      case '*':
        return array(number(text), depth);
      default:
        TORCH_CHECK(false, "the reply of a Redis command is of an unknown kind");
    }
  }

 private:
  static constexpr size_t kDepth = 128;

  std::string_view line() {
    const size_t end = rest_.find("\r\n");
    if (end == std::string_view::npos) return {};
    const std::string_view line = rest_.substr(0, end);
    rest_.remove_prefix(end + 2);
    return line;
  }

  static int64_t number(std::string_view text) {
    int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    TORCH_CHECK(error == std::errc() && end == text.data() + text.size(),
                "the reply of a Redis command holds no valid number");
    return value;
  }

  c10::IValue bulk(int64_t len) {
    if (len < 0) return {};
    const auto size = static_cast<size_t>(len);
    TORCH_CHECK(rest_.size() >= 2 && size <= rest_.size() - 2,
                "the reply of a Redis command is cut short");
    std::string value(rest_.substr(0, size));
    rest_.remove_prefix(size + 2);
    return value;
  }

  c10::IValue array(int64_t len, size_t depth) {
    if (len < 0) return {};
    c10::impl::GenericList values(c10::AnyType::get());
    for (int64_t i = 0; i < len; i++) values.push_back(parse(depth + 1));
    return values;
  }

  std::string_view rest_;
};

// Runs a command: whether it went well, and the reply or the error's text.
inline std::pair<bool, c10::IValue> call_server(const std::string &command,
                                                const c10::List<std::string> &arguments) {
  std::vector<std::string> words{command};
  for (const auto &argument : arguments) words.push_back(argument);
  std::vector<rts_bytes> argv;
  for (const auto &word : words) argv.push_back({word.data(), word.size()});
  rts_text text{};
  const int code = host->call(context.call_context, argv.data(), argv.size(), &text);
  const std::string reply = take_text(text);
  // Whoever is stopped while it waits for the server learns it here.
  check_stop_now();
  if (code != RTS_OK) return {false, reply};
  if (!reply.empty() && reply[0] == '-') {
    return {false, reply.substr(1, reply.find("\r\n") - 1)};
  }
  return {true, Reply(reply).parse()};
}

inline void execute(jit::Stack &stack, bool with_arguments) {
  c10::List<std::string> arguments;
  if (with_arguments) arguments = jit::pop(stack).to<c10::List<std::string>>();
  const std::string command = jit::pop(stack).toStringRef();
  auto [good, value] = call_server(command, arguments);
  TORCH_CHECK(good, "Redis command returned an error: ", value.toStringRef());
  stack.push_back(std::move(value));
}

inline void pcall(jit::Stack &stack, bool with_arguments) {
  c10::List<std::string> arguments;
  if (with_arguments) arguments = jit::pop(stack).to<c10::List<std::string>>();
  const std::string command = jit::pop(stack).toStringRef();
  auto [good, value] = call_server(command, arguments);
  stack.emplace_back(good);
  stack.push_back(std::move(value));
}

inline void as_list(jit::Stack &stack) {
  const c10::IValue value = jit::pop(stack);
  TORCH_CHECK(value.isList(), "redis.asList: the value is no list but of type ",
              value.type()->repr_str());
  c10::impl::GenericList values(c10::AnyType::get());
  for (const auto &element : value.toListRef()) values.push_back(element);
  stack.emplace_back(std::move(values));
}

// A tensor over a model's output, which it keeps.
inline at::Tensor from_model(const rts_tensor &output) {
  void *handle = output.handle;
  auto drop = [handle](void *) { host->drop_model_output(handle); };
  for (const Type &type : kTypes) {
    if (type.code != output.code || type.bits != output.bits) continue;
    return at::from_blob(output.data, at::IntArrayRef(output.dims, output.rank), drop,
                         at::TensorOptions().dtype(type.scalar));
  }
  host->drop_model_output(handle);
  TORCH_CHECK(false, "Unsupported code ", static_cast<int>(output.code));
}

// The host takes the inputs over, whatever comes of it. A script may write to what it gets, so it gets a
// copy.
inline void model_execute(jit::Stack &stack) {
  const int64_t wanted = jit::pop(stack).toInt();
  const std::vector<at::Tensor> given = jit::pop(stack).toTensorVector();
  const std::string key = jit::pop(stack).toStringRef();
  TORCH_CHECK(wanted >= 0 && wanted <= 1'000'000, "num_outputs is out of range");
  std::vector<at::Tensor> compact;
  for (const auto &tensor : given) compact.push_back(to_cpu(tensor));
  std::vector<rts_tensor> inputs(compact.size());
  to_host(std::move(compact), inputs.data());
  std::vector<rts_tensor> outputs(static_cast<size_t>(wanted));
  rts_text error{};
  const int code = host->run_model(context.call_context, {key.data(), key.size()}, inputs.data(),
                                   inputs.size(), outputs.data(), outputs.size(), &error);
  const std::string text = take_text(error);
  // All are taken over before anything can fail.
  std::vector<at::Tensor> taken(code == RTS_OK ? outputs.size() : 0);
  for (size_t i = 0; i < taken.size(); i++) {
    if (outputs[i].handle != nullptr) taken[i] = from_model(outputs[i]);
  }
  check_stop_now();
  TORCH_CHECK(code == RTS_OK, text);
  c10::List<at::Tensor> results;
  for (const auto &tensor : taken) {
    results.push_back(tensor.defined() ? tensor.clone() : tensor);
  }
  stack.emplace_back(std::move(results));
}

inline void add_server_operators() {
  constexpr auto kind = c10::AliasAnalysisKind::CONSERVATIVE;
  static auto *const kept = new jit::RegisterOperators({
      jit::Operator("redis::execute(str command, str[] arguments) -> Any",
                    [](jit::Stack &stack) { execute(stack, true); }, kind),
      jit::Operator("redis::execute.alone(str command) -> Any",
                    [](jit::Stack &stack) { execute(stack, false); }, kind),
      jit::Operator("redis::pcall(str command, str[] arguments) -> (bool, Any)",
                    [](jit::Stack &stack) { pcall(stack, true); }, kind),
      jit::Operator("redis::pcall.alone(str command) -> (bool, Any)",
                    [](jit::Stack &stack) { pcall(stack, false); }, kind),
      jit::Operator("redis::asList(Any value) -> Any[]", as_list, kind),
      jit::Operator(
          "redisAI::model_execute(str key, Tensor[] inputs, int num_outputs) -> Tensor[]",
          model_execute, kind),
  });
  (void)kept;
}

}  // namespace redisai
