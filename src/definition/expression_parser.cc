#include "definition/expression_parser.h"

#include <charconv>

#include <fmt/format.h>

#include "base/text.h"
#include "definition/limits.h"

namespace slipway::definition {

using model::Expression;
using model::ExpressionPtr;

namespace {

constexpr std::size_t kAny = kMaxItems;

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

/// Recursive descent. The first error stops it: the parse functions return null from then on.
class Parser {
 public:
  Parser(std::string_view text, const PlaceOf& place_of) : text_(text), place_of_(place_of) {}

  ExpressionPtr whole() {
    if (text_.size() > kMaxExpressionLength) {
      return fail_at(0, "E007",
                     fmt::format("an expression may have {} bytes, this has {}", kMaxExpressionLength, text_.size()));
    }
    ExpressionPtr expression = any_of();
    if (expression == nullptr) return nullptr;
    skip_blanks();
    return at_ < text_.size() ? unexpected() : expression;
  }

  const SyntaxError& error() const { return error_; }

 private:
  ExpressionPtr fail_at(std::size_t offset, std::string_view code, std::string message, std::string hint = {}) {
    if (error_.code.empty()) error_ = {code, std::move(message), std::move(hint), offset};
    return nullptr;
  }

  void skip_blanks() {
    while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
  }

  bool accept(std::string_view token) {
    skip_blanks();
    if (!text_.substr(at_).starts_with(token)) return false;
    if (is_word(token[0]) && at_ + token.size() < text_.size() && is_word(text_[at_ + token.size()])) return false;
    at_ += token.size();
    return true;
  }

  ExpressionPtr unexpected() {
    skip_blanks();
    if (at_ >= text_.size()) return fail_at(at_, "E022", "the expression ends too early");
    const std::string_view rest = text_.substr(at_);
    constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kOthers = {{{"and", "&&"},
                                                                                       {"or", "||"},
                                                                                       {"not", "!"},
                                                                                       {"===", "=="},
                                                                                       {"=", "=="},
                                                                                       {"&", "&&"},
                                                                                       {"|", "||"},
                                                                                       {"<>", "!="}}};
    for (const auto& [other, ours] : kOthers) {
      if (!rest.starts_with(other)) continue;
      if (!is_word(other[0]) || rest.size() == other.size() || !is_word(rest[other.size()])) {
        return fail_at(at_, "E022", fmt::format("unexpected `{}`", other), fmt::format("write `{}`", ours));
      }
    }
    std::size_t length = 1;
    if (is_word(rest[0])) {
      while (length < rest.size() && (is_word(rest[length]) || rest[length] == '.')) ++length;
    } else {
      while (length < rest.size() && (static_cast<unsigned char>(rest[length]) & 0xC0U) == 0x80U) ++length;
    }
    return fail_at(at_, "E022", fmt::format("unexpected `{}`", rest.substr(0, length)));
  }

  ExpressionPtr made(std::size_t begin, decltype(Expression::node) node) {
    if (++nodes_ > kMaxExpressionNodes) {
      return fail_at(begin, "E007", fmt::format("an expression may have {} parts", kMaxExpressionNodes));
    }
    return std::make_shared<const Expression>(
        Expression{std::move(node), place_of_(begin), std::string(trim(text_.substr(begin, at_ - begin)))});
  }

  ExpressionPtr any_of() {
    return chain("||", model::BinaryOperator::logical_or, [this] { return all_of(); });
  }
  ExpressionPtr all_of() {
    return chain("&&", model::BinaryOperator::logical_and, [this] { return comparison(); });
  }

  template <class F>
  ExpressionPtr chain(std::string_view token, model::BinaryOperator op, const F& part) {
    skip_blanks();
    const std::size_t begin = at_;
    ExpressionPtr left = part();
    while (left != nullptr && accept(token)) {
      ExpressionPtr right = part();
      if (right == nullptr) return nullptr;
      left = made(begin, model::Binary{op, std::move(left), std::move(right)});
    }
    return left;
  }

  std::optional<model::BinaryOperator> comparison_operator() {
    using Op = model::BinaryOperator;
    // `<=` before `<`: the longer one first.
    constexpr std::array<std::pair<std::string_view, Op>, 7> kOperators = {{{"!=", Op::not_equal},
                                                                            {"<=", Op::less_equal},
                                                                            {">=", Op::greater_equal},
                                                                            {"==", Op::equal},
                                                                            {"<", Op::less},
                                                                            {">", Op::greater},
                                                                            {"in", Op::in}}};
    skip_blanks();
    if (text_.substr(at_).starts_with("===") || text_.substr(at_).starts_with("<>")) return std::nullopt;
    for (const auto& [token, op] : kOperators) {
      if (accept(token)) return op;
    }
    return std::nullopt;
  }

  ExpressionPtr comparison() {
    skip_blanks();
    const std::size_t begin = at_;
    ExpressionPtr left = unary();
    if (left == nullptr) return nullptr;
    const auto op = comparison_operator();
    if (!op) return left;
    ExpressionPtr right = unary();
    if (right == nullptr) return nullptr;
    const std::size_t behind = at_;
    ExpressionPtr compared = made(begin, model::Binary{*op, std::move(left), std::move(right)});
    if (compared != nullptr && comparison_operator()) {
      return fail_at(behind, "E022", "comparisons cannot be chained", "join them with `&&`");
    }
    return compared;
  }

  ExpressionPtr unary() {
    skip_blanks();
    const std::size_t begin = at_;
    if (text_.substr(at_).starts_with("!=") || !accept("!")) return primary();
    if (++depth_ > kMaxExpressionDepth) return too_deep(begin);
    ExpressionPtr operand = unary();
    --depth_;
    if (operand == nullptr) return nullptr;
    return made(begin, model::Unary{model::UnaryOperator::negate, std::move(operand)});
  }

  ExpressionPtr too_deep(std::size_t begin) {
    return fail_at(begin, "E007", fmt::format("an expression may be nested {} deep", kMaxExpressionDepth));
  }

  ExpressionPtr primary() {
    skip_blanks();
    if (at_ >= text_.size()) return unexpected();
    const std::size_t begin = at_;
    const char c = text_[at_];
    if (c == '(') return parenthesised();
    if (c == '[') {
      ++at_;
      auto items = list(']');
      if (!items) return nullptr;
      return made(begin, model::ListOf{std::move(*items)});
    }
    if (c == '"' || c == '\'') return quoted();
    if (is_digit(c) || (c == '-' && at_ + 1 < text_.size() && is_digit(text_[at_ + 1]))) return number();
    if (is_word(c) && c != '-') return word();
    return unexpected();
  }

  ExpressionPtr parenthesised() {
    const std::size_t begin = at_++;
    if (++depth_ > kMaxExpressionDepth) return too_deep(begin);
    ExpressionPtr inner = any_of();
    --depth_;
    if (inner == nullptr) return nullptr;
    if (!accept(")")) return at_ < text_.size() ? unexpected() : fail_at(begin, "E022", "this `(` is not closed");
    return inner;
  }

  std::optional<std::vector<ExpressionPtr>> list(char close) {
    const std::size_t begin = at_ - 1;
    const std::string end(1, close);
    std::vector<ExpressionPtr> items;
    if (accept(end)) return items;
    if (++depth_ > kMaxExpressionDepth) {
      too_deep(begin);
      return std::nullopt;
    }
    for (;;) {
      ExpressionPtr item = any_of();
      if (item == nullptr) return std::nullopt;
      items.push_back(std::move(item));
      if (accept(",")) continue;
      if (accept(end)) break;
      if (at_ < text_.size())
        unexpected();
      else
        fail_at(begin, "E022", fmt::format("this `{}` is not closed", text_[begin]));
      return std::nullopt;
    }
    --depth_;
    return items;
  }

  ExpressionPtr quoted() {
    const std::size_t begin = at_;
    const char quote = text_[at_++];
    std::string value;
    while (at_ < text_.size() && text_[at_] != quote) {
      char c = text_[at_++];
      if (c == '\\' && at_ < text_.size()) {
        c = text_[at_++];
        if (c == 'n')
          c = '\n';
        else if (c == 't')
          c = '\t';
        else if (c != '\\' && c != '"' && c != '\'') {
          return fail_at(at_ - 2, "E022", fmt::format("`\\{}` is not known in text", c),
                         "a backslash is written `\\\\`");
        }
      }
      value += c;
    }
    if (at_ >= text_.size()) return fail_at(begin, "E022", fmt::format("this {} is not closed", quote));
    ++at_;
    return made(begin, model::Literal{model::Value{std::move(value)}});
  }

  ExpressionPtr number() {
    const std::size_t begin = at_;
    double value = 0;
    const auto [end, error] =
        std::from_chars(text_.data() + at_, text_.data() + text_.size(), value, std::chars_format::fixed);
    at_ = static_cast<std::size_t>(end - text_.data());
    if (error != std::errc() || (at_ < text_.size() && (is_word(text_[at_]) || text_[at_] == '.'))) {
      return fail_at(begin, "E022", "this is not a number", "text needs quotes");
    }
    return made(begin, model::Literal{model::Value{value}});
  }

  ExpressionPtr word() {
    const std::size_t begin = at_;
    model::Name name;
    for (;;) {
      const std::size_t start = at_;
      while (at_ < text_.size() && is_word(text_[at_])) ++at_;
      if (at_ == start) return fail_at(at_, "E022", "a name is missing behind the dot");
      name.path.emplace_back(text_.substr(start, at_ - start));
      if (at_ >= text_.size() || text_[at_] != '.') break;
      ++at_;
    }
    const std::string_view written = text_.substr(begin, at_ - begin);
    if (written == "and" || written == "or" || written == "not" || written == "in") {
      at_ = begin;
      return unexpected();
    }
    if (written == "true" || written == "false") return made(begin, model::Literal{model::Value{written == "true"}});
    if (written == "null") return made(begin, model::Literal{});
    std::vector<ExpressionPtr> arguments;
    const bool called = accept("(");
    if (!called && !model::is_status_function(written)) return made(begin, std::move(name));
    if (called) {
      auto items = list(')');
      if (!items) return nullptr;
      arguments = std::move(*items);
    }
    return call(begin, std::string(written), std::move(arguments));
  }

  ExpressionPtr call(std::size_t begin, std::string function, std::vector<ExpressionPtr> arguments) {
    const auto known = std::ranges::find(functions(), function, &FunctionDoc::name);
    if (known == functions().end()) {
      std::vector<std::string> names;
      for (const FunctionDoc& doc : functions()) names.emplace_back(doc.name);
      const auto near = nearest(function, names);
      return fail_at(begin, "E025", fmt::format("unknown function `{}`", function),
                     near ? fmt::format("did you mean `{}`?", *near) : fmt::format("there are {}", join(names, ", ")));
    }
    if (arguments.size() < known->least || arguments.size() > known->most) {
      return fail_at(begin, "E025", fmt::format("`{}` has {} arguments here", function, arguments.size()),
                     fmt::format("it is written `{}`", known->usage));
    }
    if (model::is_status_function(function)) {
      for (ExpressionPtr& argument : arguments) {
        if (const auto* name = std::get_if<model::Name>(&argument->node)) {
          argument = std::make_shared<const Expression>(
              Expression{model::Literal{model::Value{join(name->path, ".")}}, argument->place, argument->text});
        }
        const auto* literal = std::get_if<model::Literal>(&argument->node);
        if (literal == nullptr || !std::holds_alternative<std::string>(literal->value.data)) {
          return fail_at(begin, "E025", fmt::format("`{}` takes names of jobs or steps", function));
        }
      }
    }
    return made(begin, model::Call{std::move(function), std::move(arguments)});
  }

  std::string_view text_;
  const PlaceOf& place_of_;
  std::size_t at_ = 0;
  std::size_t depth_ = 0;
  std::size_t nodes_ = 0;
  SyntaxError error_;
};

// The offset of the `}}` that ends the expression beginning at `begin`, or npos. Quoted text may hold `}}`.
std::size_t end_of_expression(std::string_view text, std::size_t begin) {
  char quote = '\0';
  for (std::size_t i = begin; i < text.size(); ++i) {
    if (quote != '\0') {
      if (text[i] == '\\')
        ++i;
      else if (text[i] == quote)
        quote = '\0';
    } else if (text[i] == '"' || text[i] == '\'') {
      quote = text[i];
    } else if (text.substr(i).starts_with("}}")) {
      return i;
    }
  }
  return std::string_view::npos;
}

}  // namespace

PlaceOf on_one_line(model::Place start) {
  return [start = std::move(start)](std::size_t offset) {
    model::Place place = start;
    place.column += static_cast<int>(offset);
    return place;
  };
}

std::variant<ExpressionPtr, SyntaxError> parse_expression(std::string_view text, const PlaceOf& place_of) {
  Parser parser(text, place_of);
  ExpressionPtr parsed = parser.whole();
  if (parsed == nullptr) return parser.error();
  return parsed;
}

std::variant<model::Template, SyntaxError> parse_template(std::string_view text, const PlaceOf& place_of) {
  model::Template made;
  made.place = place_of(0);
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t open = text.find("{{", at);
    if (open == std::string_view::npos) break;
    if (open > 0 && text[open - 1] == '$') {
      return SyntaxError{"E022", "`${{` is not how an expression is written here",
                         "write `{{ ... }}`; a dollar sign in front of one is `{{ \"$\" }}`", open - 1};
    }
    if (open > at) made.parts.push_back({std::string(text.substr(at, open - at)), nullptr});
    const std::size_t begin = open + 2;
    const std::size_t end = end_of_expression(text, begin);
    if (end == std::string_view::npos) {
      return SyntaxError{"E022", "this `{{` is not closed", "a literal `{{` is written `{{ \"{{\" }}`", open};
    }
    auto parsed =
        parse_expression(text.substr(begin, end - begin), [&](std::size_t offset) { return place_of(begin + offset); });
    if (auto* error = std::get_if<SyntaxError>(&parsed)) {
      error->offset += begin;
      return std::move(*error);
    }
    made.parts.push_back({"", std::get<ExpressionPtr>(std::move(parsed))});
    at = end + 2;
  }
  if (at < text.size()) made.parts.push_back({std::string(text.substr(at)), nullptr});
  return made;
}

const std::vector<FunctionDoc>& functions() {
  static const std::vector<FunctionDoc> kFunctions = {
      {"success", "success(JOB, ...)", "all of these (none named: all that this depends on) succeeded", 0, kAny},
      {"failed", "failed(JOB, ...)", "at least one of these (none named: of all that this depends on) failed", 0, kAny},
      {"all_success", "all_success", "everything that this depends on succeeded; true when it depends on nothing", 0,
       0},
      {"any_failed", "any_failed", "something that this depends on failed; false when it depends on nothing", 0, 0},
      {"always", "always", "true, after failure and after cancellation too", 0, 0},
      {"cancelled", "cancelled(JOB, ...)",
       "at least one of these was cancelled; none named: the run (for a step: the job) is being cancelled", 0, kAny},
      {"glob", "glob(VALUE, PATTERN, ...)", "the patterns allow the value; `!` negates one, the last match decides", 2,
       kAny},
      {"contains", "contains(TEXT_OR_LIST, VALUE)", "the text holds the other text, or the list the value", 2, 2},
      {"starts_with", "starts_with(TEXT, BEGINNING)", "the text begins so", 2, 2},
      {"ends_with", "ends_with(TEXT, END)", "the text ends so", 2, 2},
      {"hash", "hash(PATTERN, ...)", "a digest over all files of the source that match; none matching is an error", 1,
       kAny},
      {"changed", "changed(PATTERN, ...)", "a file that matches was changed by this event; unknown counts as changed",
       1, kAny},
      {"default", "default(VALUE, OTHER)", "the other value where the first is null or absent", 2, 2},
  };
  return kFunctions;
}

}  // namespace slipway::definition
