#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "model/expression.h"

namespace slipway::definition {

/// What is wrong with an expression, and where in its text.
struct SyntaxError {
  std::string message;
  std::string hint;
  std::size_t offset = 0;  ///< bytes from the beginning of the text that was given
};

/// An expression, by falling precedence: `( )` · `!` · `== != < <= > >= in` (one, not chained) · `&&` · `||`.
///
///     expression = and { "||" and } ; and = not { "&&" not } ; not = "!" not | comparison
///     comparison = primary [ operator primary ]
///     primary    = "(" expression ")" | "[" [ list ] "]" | text | number | true | false | null | name | name "(" [
///     list ] ")"
///
/// Text stands in '...' or "..."; a backslash keeps the quote, `\n` and `\t` are what they are elsewhere.
/// A name is words with dots; a word may hold `-`. The status functions may do without parentheses, and
/// `success(build)` names a job without quotes. `place` is where the text begins; places inside count from it.
/// Functions and their arity are checked here, names are not.
std::variant<model::ExpressionPtr, SyntaxError> parse_expression(std::string_view text, const model::Place& place);

/// Text with `{{ expression }}` in it. A literal `{{` is written as an expression: `{{ "{{" }}`.
std::variant<model::Template, SyntaxError> parse_template(std::string_view text, const model::Place& place);

/// The names of all functions.
const std::vector<std::string>& function_names();

}  // namespace slipway::definition
