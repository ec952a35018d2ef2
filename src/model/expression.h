#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/error.h"

namespace slipway::model {

/// A place in a definition file, for messages. Lines and columns count from 1; 0: unknown.
struct Place {
  std::string file;
  int line = 0;
  int column = 0;
};

/// The value of an expression. No coercion anywhere: `==` between different types is an error.
struct Value;
using ValueList = std::vector<Value>;
struct Value {
  std::variant<std::nullptr_t, bool, double, std::string, ValueList> data = nullptr;
  bool operator==(const Value&) const = default;  ///< same type and same content
};

std::string_view type_name(const Value& value);
/// As it is put into text by `{{ }}`: numbers without a needless fraction; lists and null are refused (`invalid`).
Result<std::string> to_text(const Value& value);

enum class UnaryOperator { negate };
enum class BinaryOperator { logical_and, logical_or, equal, not_equal, less, less_equal, greater, greater_equal, in };

/// One node of a parsed expression. Immutable once parsed, so plans share it.
struct Expression;
using ExpressionPtr = std::shared_ptr<const Expression>;

struct Literal {
  Value value;
};
/// A dotted name: `branch`, `pr.number`, `env.CC`, `outputs.package.version`.
struct Name {
  std::vector<std::string> path;
};
struct Unary {
  UnaryOperator op;
  ExpressionPtr operand;
};
struct Binary {
  BinaryOperator op;
  ExpressionPtr left, right;
};
struct Call {
  std::string function;
  std::vector<ExpressionPtr> arguments;
};
struct ListOf {
  std::vector<ExpressionPtr> items;
};
struct Expression {
  std::variant<Literal, Name, Unary, Binary, Call, ListOf> node;
  Place place;
  std::string text;  ///< as written, for traces and messages
};

/// A value of a definition that may hold `{{ }}`: literal text and expressions in turn.
struct Template {
  struct Part {
    std::string text;  ///< literal, when `expression` is null
    ExpressionPtr expression;
  };
  std::vector<Part> parts;
  Place place;

  bool is_literal() const;
  /// The literal text; only when `is_literal()`.
  std::string literal() const;
  static Template of(std::string text, Place place = {});
};

/// How a dependency or a step ended, as conditions see it.
enum class Ending { succeeded, failed, cancelled, skipped };

/// What an expression may ask about. `facts` reach into the source snapshot (hash, changed) and must answer
/// the same for the same arguments as long as a run lives.
class Facts {
 public:
  virtual ~Facts() = default;
  /// A hex digest over the files that match; `not_found` when none does.
  virtual Result<std::string> hash(const std::vector<std::string>& patterns) const = 0;
  /// Did a file that matches change in this event? No value: unknown (which counts as changed).
  virtual std::optional<bool> changed(const std::vector<std::string>& patterns) const = 0;
};

struct Scope {
  std::map<std::string, Value> values;    ///< by dotted name, e.g. "branch", "matrix.compiler"
  std::map<std::string, Ending> endings;  ///< of what this depends on, by name; for success(), failed(), ...
  bool cancelled = false;                 ///< the run (or job, for a step) is being cancelled
  const Facts* facts = nullptr;           ///< null: hash() and changed() are errors
};

/// One evaluated part of a decision: `branch == "main"` → `false` (branch is "dev").
struct TraceEntry {
  std::string text;
  std::string outcome;
};
using Trace = std::vector<TraceEntry>;

/// Evaluates. Pure but for `scope.facts`. Appends what was looked at to `trace`, in order; && and || stop early.
///
/// Status functions ask `scope.endings`: `success` and `failed` with names about those, without names as `all_success`
/// (every one succeeded; true when there is none) and `any_failed` (false when there is none). While `scope.cancelled`
/// these four are false, so that nothing new starts by them; `always` is true and `cancelled` is true.
/// `cancelled` with names: one of those was cancelled; false while `scope.cancelled`, as the four.
/// `default(a, b)` is b where a is null or a name that the scope does not have. `x == null` is allowed for every x.
///
/// Errors: `invalid` (or the kind that `scope.facts` gave), with `file:line:column: ` in front where the place is
/// known.
Result<Value> evaluate(const Expression& expression, const Scope& scope, Trace& trace);
/// Errors as of `evaluate`; `exhausted` when the text would be longer than 1 MiB.
Result<std::string> expand(const Template& text, const Scope& scope);
/// A condition must be a boolean: as `evaluate`, anything else is `invalid`.
Result<bool> holds(const Expression& condition, const Scope& scope, Trace& trace);

/// As `expression`, with names that `scope` has and hash() and changed() that it can answer replaced by literals.
/// Status functions and whatever cannot be answered stay; `text` and `place` stay as written, so traces read the same.
ExpressionPtr simplify(const ExpressionPtr& expression, const Scope& scope);

/// Does the expression call success, failed, all_success, any_failed, always or cancelled?
bool calls_status_function(const Expression& expression);
bool is_status_function(std::string_view name);
/// Does it call `always` or `cancelled`? Only such a condition is worth asking once a run is being cancelled.
bool may_hold_when_cancelled(const Expression& expression);
/// Every dotted name in it, as written.
std::vector<std::string> names_in(const Expression& expression);

}  // namespace slipway::model
