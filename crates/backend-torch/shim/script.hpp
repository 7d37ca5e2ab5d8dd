// Scripts: source, its bounds, and the names that it may use.
#pragma once

#include <torch/csrc/jit/frontend/lexer.h>
#include <torch/csrc/jit/frontend/parser.h>
#include <torch/csrc/jit/frontend/resolver.h>
#include <torch/csrc/jit/frontend/sugared_value.h>
#include <torch/csrc/jit/frontend/tree_views.h>

#include <cctype>
#include <limits>
#include <numbers>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "model.hpp"

namespace redisai {

// A number that Python has as `math.pi` and `torch.pi`; null for another name.
inline std::shared_ptr<jit::SugaredValue> real_number(jit::GraphFunction &m,
                                                      const std::string &name) {
  static const std::pair<const char *, double> kNumbers[] = {
      {"pi", std::numbers::pi},
      {"e", std::numbers::e},
      {"tau", 2 * std::numbers::pi},
      {"inf", std::numeric_limits<double>::infinity()},
      {"nan", std::numeric_limits<double>::quiet_NaN()},
  };
  for (const auto &[known, value] : kNumbers) {
    if (name == known) return std::make_shared<jit::SimpleValue>(m.graph()->insertConstant(value));
  }
  return nullptr;
}

// `math`.
struct MathModule final : jit::SugaredValue {
  std::string kind() const override { return "module math"; }
  std::shared_ptr<jit::SugaredValue> attr(const jit::SourceRange &loc, jit::GraphFunction &m,
                                          const std::string &field) override {
    if (auto number = real_number(m, field)) return number;
    return jit::BuiltinModule("aten").attr(loc, m, field);
  }
};

// `torch.jit`.
struct JitModule final : jit::SugaredValue {
  std::string kind() const override { return "module torch.jit"; }
  std::shared_ptr<jit::SugaredValue> attr(const jit::SourceRange &loc, jit::GraphFunction &m,
                                          const std::string &field) override {
    if (field == "annotate") return jit::SpecialFormValue::create(c10::prim::annotate);
    if (field == "isinstance") return jit::SpecialFormValue::create(c10::prim::isinstance);
    if (field == "fork") return jit::SpecialFormValue::create(c10::prim::fork);
    return jit::BuiltinModule("aten").attr(loc, m, field);
  }
};

// The class behind `with torch.no_grad():`. Runs never keep gradients, so it does nothing.
inline c10::ClassTypePtr no_grad(const std::shared_ptr<jit::CompilationUnit> &unit) {
  const c10::QualifiedName name("__torch__.no_grad");
  if (auto made = unit->get_class(name)) return made;
  auto type = c10::ClassType::create(name, unit);
  unit->register_type(type);
  const jit::SimpleSelf self(type);
  unit->define(name,
               "def __init__(self) -> None:\n"
               "  pass\n"
               "def __enter__(self) -> None:\n"
               "  pass\n"
               "def __exit__(self, type: Any, value: Any, trace: Any) -> None:\n"
               "  pass\n",
               jit::nativeResolver(), &self);
  return type;
}

// `torch`: its operators, and its dtypes and layouts, which TorchScript knows as numbers.
struct TorchModule final : jit::SugaredValue {
  explicit TorchModule(std::shared_ptr<jit::CompilationUnit> unit) : unit_(std::move(unit)) {}

  std::string kind() const override { return "module torch"; }

  std::shared_ptr<jit::SugaredValue> attr(const jit::SourceRange &loc, jit::GraphFunction &m,
                                          const std::string &field) override {
    static const std::pair<const char *, c10::ScalarType> kDtypes[] = {
        {"float32", c10::kFloat}, {"float", c10::kFloat},   {"float64", c10::kDouble},
        {"double", c10::kDouble}, {"float16", c10::kHalf},  {"half", c10::kHalf},
        {"bfloat16", c10::kBFloat16}, {"uint8", c10::kByte}, {"int8", c10::kChar},
        {"int16", c10::kShort},   {"short", c10::kShort},   {"int32", c10::kInt},
        {"int", c10::kInt},       {"int64", c10::kLong},    {"long", c10::kLong},
        {"bool", c10::kBool},     {"complex64", c10::kComplexFloat},
        {"complex128", c10::kComplexDouble}, {"uint16", c10::kUInt16},
        {"uint32", c10::kUInt32}, {"uint64", c10::kUInt64},
    };
    static const std::pair<const char *, c10::MemoryFormat> kFormats[] = {
        {"contiguous_format", c10::MemoryFormat::Contiguous},
        {"preserve_format", c10::MemoryFormat::Preserve},
        {"channels_last", c10::MemoryFormat::ChannelsLast},
        {"channels_last_3d", c10::MemoryFormat::ChannelsLast3d},
    };
    for (const auto &[name, type] : kDtypes) {
      if (field == name) {
        return constant(m, static_cast<int64_t>(type));
      }
    }
    for (const auto &[name, format] : kFormats) {
      if (field == name) return constant(m, static_cast<int64_t>(format));
    }
    if (field == "strided") return constant(m, static_cast<int64_t>(c10::kStrided));
    if (field == "jit") return std::make_shared<JitModule>();
    if (field == "no_grad") return std::make_shared<jit::ClassValue>(no_grad(unit_));
    if (auto number = real_number(m, field)) return number;
    if (field == "linalg" || field == "fft" || field == "special") {
      return std::make_shared<Prefixed>(field + "_");
    }
    return jit::BuiltinModule("aten").attr(loc, m, field);
  }

 private:
  // `torch.linalg.norm` is `aten::linalg_norm`.
  struct Prefixed final : jit::SugaredValue {
    explicit Prefixed(std::string prefix) : prefix(std::move(prefix)) {}
    std::string kind() const override { return "module of torch"; }
    std::shared_ptr<jit::SugaredValue> attr(const jit::SourceRange &loc, jit::GraphFunction &m,
                                            const std::string &field) override {
      return jit::BuiltinModule("aten").attr(loc, m, prefix + field);
    }
    std::string prefix;
  };

  static std::shared_ptr<jit::SugaredValue> constant(jit::GraphFunction &m, int64_t value) {
    return std::make_shared<jit::SimpleValue>(m.graph()->insertConstant(value));
  }

  std::shared_ptr<jit::CompilationUnit> unit_;
};

// The names that a script may use besides TorchScript's own.
struct ScriptNames final : jit::Resolver {
  explicit ScriptNames(std::shared_ptr<jit::CompilationUnit> unit) : unit_(std::move(unit)) {}

  std::shared_ptr<jit::SugaredValue> resolveValue(const std::string &name, jit::GraphFunction &,
                                                  const jit::SourceRange &) override {
    // Python's own exceptions; a script can raise one, and none is caught.
    static const std::set<std::string> kExceptions{
        "ArithmeticError",     "AssertionError", "AttributeError", "BufferError", "Exception",
        "EOFError",            "IndexError",     "KeyError",       "LookupError", "MemoryError",
        "NotImplementedError", "OSError",        "OverflowError",  "RuntimeError", "StopIteration",
        "SystemError",         "TimeoutError",   "TypeError",      "ValueError",  "ZeroDivisionError",
    };
    if (kExceptions.count(name) != 0) return std::make_shared<jit::ExceptionValue>(name);
    if (name == "math") return std::make_shared<MathModule>();
    std::string lower = name;
    for (char &letter : lower) letter = static_cast<char>(std::tolower(letter));
    if (lower == "torch") return std::make_shared<TorchModule>(unit_);
    if (lower == "redis") return std::make_shared<jit::BuiltinModule>("redis");
    if (lower == "redisai") return std::make_shared<jit::BuiltinModule>("redisAI");
    return nullptr;
  }

 private:
  std::shared_ptr<jit::CompilationUnit> unit_;
};

// Whether a type is `Any`, or may be: `Optional[Any]`, `Union[Any, int]`.
inline bool may_be_any(const jit::TreeRef &type) {
  if (type->kind() == jit::TK_VAR) return jit::Var(type).name().name() == "Any";
  if (type->kind() != jit::TK_SUBSCRIPT) return false;
  const auto &of = type->tree(0);
  if (of->kind() != jit::TK_VAR) return false;
  const std::string &name = jit::Var(of).name().name();
  if (name != "Optional" && name != "Union") return false;
  for (const auto &argument : type->tree(1)->trees()) {
    if (may_be_any(argument)) return true;
  }
  return false;
}

// Whether a value is a list that is written out, or may be: `[1] if c else [2]`.
inline bool is_list(const jit::TreeRef &value) {
  if (value->kind() == jit::TK_LIST_LITERAL) return true;
  return value->kind() == jit::TK_IF_EXPR &&
         (is_list(value->tree(1)) || is_list(value->tree(2)));
}

// Torch's compiler follows a null pointer where a list is written out for `Any`. `gives_any`: the
// function that this is a part of gives one.
inline void check_any(const jit::TreeRef &tree, bool gives_any) {
  const auto &parts = tree->trees();
  const auto only = [](const jit::TreeRef &maybe) {
    return maybe->trees().size() == 1 ? maybe->tree(0) : nullptr;
  };
  jit::TreeRef type;
  jit::TreeRef value;
  if (tree->kind() == jit::TK_ASSIGN && parts.size() == 3) {
    value = only(parts[1]);
    type = only(parts[2]);
  } else if (tree->kind() == jit::TK_APPLY && parts.size() >= 2 &&
             parts[0]->kind() == '.' && parts[1]->trees().size() == 2 &&
             jit::Select(parts[0]).selector().name() == "annotate") {
    type = parts[1]->tree(0);
    value = parts[1]->tree(1);
  } else if (tree->kind() == jit::TK_RETURN && gives_any && parts.size() == 1) {
    value = parts[0];
  }
  const bool any = type == nullptr ? tree->kind() == jit::TK_RETURN : may_be_any(type);
  TORCH_CHECK(value == nullptr || !any || !is_list(value),
              "a list that is written out cannot be annotated as Any: give it its own type first");
}

// Refuses a function that is nested too deeply or too large.
inline void check_tree(const jit::TreeRef &root, const rts_bounds &bounds) {
  const auto result = jit::Def(root).decl().return_type();
  const bool gives_any = result.present() && may_be_any(result.get());
  std::vector<std::pair<jit::TreeRef, size_t>> left{{root, 1}};
  size_t nodes = 0;
  while (!left.empty()) {
    const auto [tree, depth] = std::move(left.back());
    left.pop_back();
    nodes++;
    TORCH_CHECK(depth <= bounds.depth, "the script is nested too deeply: more than ", bounds.depth,
                " levels");
    TORCH_CHECK(nodes <= bounds.nodes, "the script is too large: more than ", bounds.nodes,
                " parts");
    check_any(tree, gives_any);
    for (const auto &part : tree->trees()) left.emplace_back(part, depth + 1);
  }
}

inline std::unique_ptr<rts_model> compile(rts_bytes source, int cuda, const rts_bounds &bounds) {
  Quiet quiet;
  auto text = std::make_shared<jit::Source>(std::string_view(source.data, source.len), "<string>", 1);
  jit::Parser parser(text);
  std::vector<jit::Def> definitions;
  std::vector<jit::ResolverPtr> resolvers;
  const auto unit = std::make_shared<jit::CompilationUnit>();
  const auto names = std::make_shared<ScriptNames>(unit);
  while (parser.lexer().cur().kind != jit::TK_EOF) {
    jit::TreeRef definition = parser.parseFunction(false);
    check_tree(definition, bounds);
    definitions.emplace_back(definition);
    resolvers.push_back(names);
  }
  auto model = std::make_unique<rts_model>();
  model->device = device_of(cuda);
  model->unit = unit;
  model->functions =
      model->unit->define(std::nullopt, {}, {}, definitions, resolvers, nullptr);
  finish(*model, 0);
  return model;
}

}  // namespace redisai
