#pragma once

#include <initializer_list>
#include <span>
#include <string_view>

/// The one table of the language: the reader, `slipway schema` and docs/language.md are made from it.
namespace slipway::definition {

struct Context;

/// What a value looks like.
struct Shape {
  enum class Kind {
    text,        ///< one scalar, taken as it is written
    name,        ///< of a job, step, artifact, ...: letters, digits, `_ - .` and blanks inside, no other signs
    identifier,  ///< of a variable, output, parameter: a letter or `_`, then letters, digits, `_`
    expression,  ///< a condition
    boolean,
    integer,
    cpu,
    size,
    duration,
    choice,
    cron,
    timezone,
    value,  ///< a scalar with the type that YAML gives it
    list,
    map,     ///< any names → `item`
    object,  ///< the keys of `context`
    any_of,  ///< one of `forms`, told apart by being a scalar, a list or a mapping
    opaque,  ///< anything: its meaning belongs to a backend
  };
  /// May it hold `{{ }}`? script: no, and the error shows how to do it instead.
  enum class Templates { refused, allowed, script };

  Kind kind = Kind::text;
  Templates templates = Templates::refused;
  const Shape* item = nullptr;   ///< of a list or map
  const Shape* names = nullptr;  ///< of a map's keys
  bool one_alone = false;        ///< a list of one may be written without being a list
  bool may_be_empty = false;     ///< the key may stand without a value
  long least = 0, most = 0;      ///< of an integer; of a list or map: how many; most 0: kMaxItems
  const Context* context = nullptr;
  std::span<const std::string_view> choices = {};
  std::span<const Shape* const> forms = {};
  std::string_view doc = {};  ///< a form in words, where the kind says too little
};

struct Key {
  std::string_view name;
  const Shape* shape = nullptr;
  std::string_view doc;
  std::string_view example;        ///< the value, as YAML on one line
  std::string_view standard = {};  ///< what holds without the key, in words
  std::string_view alias = {};     ///< read but not taught
  bool required = false;
};

struct Context {
  std::string_view name;   ///< as messages say it: `job`, `step`
  std::string_view title;  ///< of its section in the reference
  std::string_view doc;
  std::span<const Key> keys;
  const Context* also = nullptr;  ///< its keys belong here too
};

/// The whole file: `workflow:` or `job:`.
extern const Context kFileContext;
extern const Context kWorkflowContext;
extern const Context kJobFileContext;  ///< below `job:`
extern const Context kJobContext;
extern const Context kStepContext;
extern const Context kTemplateContext;
extern const Context kDefaultsContext;

/// Every context, in the order of the reference.
std::span<const Context* const> contexts();

/// By name or alias, in the context and those it includes. Null: unknown.
const Key* find_key(const Context& context, std::string_view name);

template <class F>
void for_each_key(const Context& context, const F& visit) {
  for (const Context* part = &context; part != nullptr; part = part->also) {
    for (const Key& key : part->keys) visit(key);
  }
}

}  // namespace slipway::definition
