#include "definition/validate.h"

#include <array>

#include <fmt/format.h>

#include "base/text.h"
#include "definition/cron.h"
#include "definition/dialects/python.h"
#include "definition/limits.h"
#include "definition/scalars.h"
#include "model/units.h"

namespace slipway::definition {

namespace {

using Kind = Shape::Kind;

class Validator {
 public:
  explicit Validator(Source& source) : source_(source) {}

  void check(Node& node, const Shape& shape, const std::string& subject) {
    switch (shape.kind) {
      case Kind::opaque: return;
      case Kind::list: return check_list(node, shape, subject);
      case Kind::map: return check_map(node, shape, subject);
      case Kind::object: return check_object(node, shape, subject);
      case Kind::any_of: return check_forms(node, shape, subject);
      default: return check_scalar(node, shape, subject);
    }
  }

 private:
  // The reports about wrong kinds all read alike: "`timeout` of job `x` is a list, not ...".
  void wrong_kind(Node& node, const std::string& subject, std::string_view wanted) {
    std::string hint = fmt::format("it wants {}", wanted);
    if (&node == value_ && !key_->example.empty()) hint += fmt::format(", as `{}: {}`", key_->name, key_->example);
    const bool empty = node.kind == Node::Kind::null;
    source_.report(node, "E013",
                   fmt::format("{} {}", subject, empty ? "has no value" : fmt::format("is {}", kind_name(node))),
                   std::move(hint));
  }

  static std::size_t most_of(const Shape& shape) {
    return shape.most > 0 ? static_cast<std::size_t>(shape.most) : kMaxItems;
  }

  void check_count(Node& node, std::size_t count, const Shape& shape, const std::string& subject) {
    if (count < static_cast<std::size_t>(shape.least)) {
      source_.report(node, "E013", fmt::format("{} is empty", subject), "leave the key out, or say something");
    } else if (count > most_of(shape)) {
      source_.report(node, "E007", fmt::format("{} has {} entries", subject, count),
                     fmt::format("at most {}", most_of(shape)));
    }
  }

  void check_list(Node& node, const Shape& shape, const std::string& subject) {
    if (node.kind != Node::Kind::sequence) {
      const bool alone = shape.one_alone && node.kind != Node::Kind::null;
      return alone ? check(node, *shape.item, subject) : wrong_kind(node, subject, "a list");
    }
    check_count(node, node.items.size(), shape, subject);
    if (node.bad) return;
    for (Node* item : node.items) check(*item, *shape.item, item_subject(*item, *shape.item, subject));
  }

  // Entries of lists that have a name are spoken of by it.
  static std::string item_subject(const Node& item, const Shape& shape, const std::string& subject) {
    const Context* context = shape.context;
    for (const Shape* form : shape.forms) context = form->context != nullptr ? form->context : context;
    if (context == nullptr) return fmt::format("a value of {}", subject);
    for (const Node::Entry& entry : item.entries) {
      if (entry.key->text == "name" && entry.value->kind == Node::Kind::scalar) {
        const std::string named = fmt::format("{} `{}`", context->name, entry.value->text.substr(0, kMaxNameLength));
        const bool whole = context == &kJobContext;
        return whole ? named : fmt::format("{} of {}", named, owner(subject));
      }
    }
    return fmt::format("a {} of {}", context->name, owner(subject));
  }

  // "`steps` of job `x`" → "job `x`"
  static std::string_view owner(std::string_view subject) {
    const std::size_t of = subject.find("` of ");
    return subject.starts_with('`') && of != std::string_view::npos ? subject.substr(of + 5) : subject;
  }

  void check_map(Node& node, const Shape& shape, const std::string& subject) {
    if (node.kind != Node::Kind::mapping) return wrong_kind(node, subject, "a mapping");
    check_count(node, node.entries.size(), shape, subject);
    if (node.bad) return;
    const bool named = shape.item->kind == Kind::object && shape.item->context != nullptr;
    for (const Node::Entry& entry : node.entries) {
      if (shape.names != nullptr) check_scalar(*entry.key, *shape.names, fmt::format("a name in {}", subject));
      check(*entry.value, *shape.item,
            named ? fmt::format("{} `{}`", shape.item->context->name, entry.key->text.substr(0, kMaxNameLength))
                  : fmt::format("`{}` of {}", entry.key->text.substr(0, kMaxNameLength), subject));
    }
  }

  void check_object(Node& node, const Shape& shape, const std::string& subject) {
    if (node.kind == Node::Kind::null && shape.may_be_empty) return;
    if (node.kind != Node::Kind::mapping) return wrong_kind(node, subject, "a mapping");
    const Context& context = *shape.context;
    for (const Node::Entry& entry : node.entries) {
      const Key* key = find_key(context, entry.key->text);
      if (key == nullptr) {
        if (!is_text_of_block(node, entry)) unknown_key(*entry.key, context, subject);
        entry.value->bad = true;
        continue;
      }
      if (entry.key->text == key->alias) refuse_both(node, *entry.key, *key);
      value_ = entry.value;
      key_ = key;
      const bool whole_file = &context == &kFileContext && key->shape->context != nullptr;
      check(*entry.value, *key->shape,
            whole_file ? fmt::format("the {}", key->name) : fmt::format("`{}` of {}", key->name, subject));
    }
    for_each_key(context, [&](const Key& key) {
      const bool given = std::ranges::any_of(node.entries, [&](const Node::Entry& entry) {
        return entry.key->text == key.name || (!key.alias.empty() && entry.key->text == key.alias);
      });
      if (key.required && !given)
        source_.report(node, "E011", fmt::format("{} has no `{}`", subject, key.name),
                       fmt::format("add `{}: {}`", key.name, key.example));
    });
  }

  // Text below `run: |` that is not indented looks like a key without a value, behind an empty text.
  bool is_text_of_block(const Node& node, const Node::Entry& entry) {
    if (entry.value->kind != Node::Kind::null || &entry == node.entries.data()) return false;
    const Node::Entry* last = &entry - 1;
    if (last->value->kind == Node::Kind::null) return last->key->bad;  // a second line of it
    while (last->value->kind == Node::Kind::mapping && !last->value->entries.empty())
      last = &last->value->entries.back();
    const std::string_view written = source_.text().substr(std::min(last->value->offset, source_.text().size()));
    const bool is_block = !last->value->plain && last->value->text.empty() && written.starts_with('|');
    if (!is_block) return false;
    entry.key->bad = true;
    last->value->bad = true;
    source_.report(*last->key, "E003", "this text block is empty: the line below is not indented more than its key",
                   "indent the lines below");
    return true;
  }

  void refuse_both(const Node& node, Node& alias, const Key& key) {
    for (const Node::Entry& entry : node.entries) {
      if (entry.key->text == key.name) {
        source_.report(alias, "E019", fmt::format("`{}` and `{}` are the same key", key.alias, key.name), "keep one");
      }
    }
  }

  // What other systems call it, also with a typing mistake.
  std::string meant(const std::string& word, const std::vector<std::string>& known) const {
    static constexpr std::array<std::pair<std::string_view, std::string_view>, 14> kElsewhere = {{
        {"script", "run"},
        {"commands", "run"},
        {"runs_on", "image"},
        {"runs-on", "image"},
        {"container", "image"},
        {"strategy", "matrix"},
        {"dependencies", "depends_on"},
        {"requires", "depends_on"},
        {"variables", "env"},
        {"when", "condition"},
        {"only", "condition"},
        {"uses", "template"},
        {"working_directory", "working_dir"},
        {"working-directory", "working_dir"},
    }};
    std::vector<std::string> words;
    for (const auto& [other, ours] : kElsewhere) {
      if (std::ranges::find(known, ours) != known.end()) words.emplace_back(other);
    }
    if (source_.suggestion(word, words).empty()) return {};
    const auto near = nearest(word, words);
    const auto at = std::ranges::find(kElsewhere, *near, &std::pair<std::string_view, std::string_view>::first);
    return fmt::format("here it is `{}`", at->second);
  }

  void unknown_key(Node& key, const Context& context, const std::string& subject) {
    std::vector<std::string> known;
    for_each_key(context, [&](const Key& candidate) { known.emplace_back(candidate.name); });
    std::string hint = source_.suggestion(key.text, known);
    if (hint.empty()) hint = meant(key.text, known);
    if (hint.empty() && !source_.full()) hint = fmt::format("known are {}", join(known, ", "));
    source_.report(key, "E012", fmt::format("unknown key `{}` in {}", key.text.substr(0, kMaxNameLength), subject),
                   std::move(hint));
  }

  void check_forms(Node& node, const Shape& shape, const std::string& subject) {
    for (const Shape* form : shape.forms) {
      const bool fits = form->kind == Kind::list                                ? node.kind == Node::Kind::sequence
                        : form->kind == Kind::map || form->kind == Kind::object ? node.kind == Node::Kind::mapping
                                                                                : node.kind == Node::Kind::scalar;
      if (fits) return check(node, *form, subject);
    }
    wrong_kind(node, subject, shape.doc);
  }

  void check_scalar(Node& node, const Shape& shape, const std::string& subject) {
    if (node.kind != Node::Kind::scalar) {
      if (shape.kind == Kind::value && node.kind == Node::Kind::null) return;
      return wrong_kind(node, subject, wanted_scalar(shape));
    }
    if (node.text.size() > kMaxTextLength) {
      return source_.report(node, "E007", fmt::format("{} has {} bytes", subject, node.text.size()),
                            fmt::format("at most {}", kMaxTextLength));
    }
    if (shape.kind == Kind::expression) return check_expression(node);
    if (has_expression(node)) {
      if (shape.templates == Shape::Templates::allowed) return check_template(node);
      return refuse_expression(node, shape, subject);
    }
    check_plain(node, shape, subject);
  }

  static std::string_view wanted_scalar(const Shape& shape) {
    switch (shape.kind) {
      case Kind::boolean: return "true or false";
      case Kind::integer: return "a whole number";
      case Kind::cpu: return "a number of processors, as 2 or 500m";
      case Kind::size: return "a size, as 2GiB";
      case Kind::duration: return "a duration, as 10m";
      case Kind::expression: return "an expression";
      case Kind::name:
      case Kind::identifier: return "a name";
      default: return shape.doc.empty() ? "a text" : shape.doc;
    }
  }

  void refuse_expression(Node& node, const Shape& shape, const std::string& subject) {
    const std::size_t at = node.text.find("{{");
    const model::Place place = source_.places_in(node)(at);
    node.bad = true;
    if (shape.templates != Shape::Templates::script) {
      return source_.report_at(place, "E021", fmt::format("{} cannot hold an expression", subject));
    }
    const std::size_t end = node.text.find("}}", at);
    const std::string written =
        node.text.substr(at, std::min<std::size_t>(end == std::string::npos ? 40 : end + 2 - at, 80));
    source_.report_at(
        place, "E020", fmt::format("an expression cannot stand in {}", subject),
        fmt::format("put it into `env` and use the variable: `env: {{NAME: \"{}\"}}`, \"$NAME\"", written));
  }

  void check_expression(Node& node) {
    const PlaceOf places = source_.places_in(node);
    if (node.text.find("{{") != std::string::npos) {
      node.bad = true;
      return source_.report_at(places(node.text.find("{{")), "E022", "this is an expression already",
                               "leave `{{` and `}}` out");
    }
    report_syntax(node, parse_expression(node.text, places), places);
  }

  void check_template(Node& node) {
    const PlaceOf places = source_.places_in(node);
    report_syntax(node, parse_template(node.text, places), places);
  }

  template <class T>
  void report_syntax(Node& node, const std::variant<T, SyntaxError>& parsed, const PlaceOf& places) {
    const auto* error = std::get_if<SyntaxError>(&parsed);
    if (error == nullptr) return;
    node.bad = true;
    source_.report_at(places(error->offset), error->code, error->message, error->hint);
  }

  template <class T>
  void check_amount(Node& node, const model::Parsed<T>& parsed, std::string_view code, const std::string& subject) {
    if (!parsed)
      source_.report(node, code, fmt::format("{}: {}", subject, parsed.error().message), parsed.error().hint);
  }

  // A number or boolean in quotes is text.
  bool refuse_quotes(Node& node, std::string_view wanted, const std::string& subject) {
    if (node.plain) return false;
    source_.report(node, "E013", fmt::format("{} is a text in quotes", subject), fmt::format("it wants {}", wanted));
    return true;
  }

  void check_plain(Node& node, const Shape& shape, const std::string& subject) {
    switch (shape.kind) {
      case Kind::boolean:
        if (node.literal && node.plain && python_boolean(node.text)) return;
        if (!refuse_quotes(node, "true or false", subject))
          check_amount(node, model::parse_boolean(node.text), "E013", subject);
        return;
      case Kind::integer:
        if (!refuse_quotes(node, "a whole number", subject)) {
          check_amount(node, model::parse_integer(node.text, shape.least, shape.most), "E017", subject);
        }
        return;
      case Kind::cpu: return check_amount(node, model::parse_cpu(node.text), "E017", subject);
      case Kind::size: return check_amount(node, model::parse_size(node.text), "E016", subject);
      case Kind::duration: return check_amount(node, model::parse_duration(node.text), "E015", subject);
      case Kind::choice: return check_choice(node, shape, subject);
      case Kind::name: return check_name(node, subject);
      case Kind::identifier: return check_identifier(node, subject);
      case Kind::cron:
        if (const auto wrong = cron_error(node.text))
          source_.report(node, "E055", fmt::format("{}: {}", subject, *wrong));
        return;
      case Kind::timezone:
        if (const auto wrong = timezone_error(node.text))
          source_.report(node, "E056", fmt::format("{}: {}", subject, *wrong), "as Europe/Berlin or UTC");
        return;
      case Kind::value:
        if (const auto wrong = value_error(node))
          source_.report(node, "E018", fmt::format("{}: {}", subject, *wrong), "put it in quotes");
        return;
      default: return;
    }
  }

  void check_choice(Node& node, const Shape& shape, const std::string& subject) {
    if (std::ranges::find(shape.choices, node.text) != shape.choices.end()) return;
    const std::vector<std::string> choices(shape.choices.begin(), shape.choices.end());
    std::string near = source_.suggestion(node.text, choices);
    source_.report(node, "E014", fmt::format("{} cannot be `{}`", subject, node.text.substr(0, kMaxNameLength)),
                   near.empty() ? fmt::format("it may be {}", join(choices, ", ")) : std::move(near));
  }

  void check_name(Node& node, const std::string& subject) {
    if (is_name(node.text) || (node.literal && is_foreign_name(node.text))) return;
    source_.report(node, "E018", fmt::format("{} cannot be `{}`", subject, node.text.substr(0, kMaxNameLength)),
                   fmt::format("letters, digits, `_`, `-`, `.` and blanks inside; at most {} bytes", kMaxNameLength));
  }

  void check_identifier(Node& node, const std::string& subject) {
    if (is_identifier(node.text)) return;
    source_.report(node, "E018", fmt::format("{} cannot be `{}`", subject, node.text.substr(0, kMaxNameLength)),
                   "a letter or `_`, then letters, digits and `_`");
  }

  Source& source_;
  const Node* value_ = nullptr;  // of the key that was met last
  const Key* key_ = nullptr;
};

}  // namespace

bool has_expression(const Node& node) { return !node.literal && node.text.find("{{") != std::string::npos; }

void validate(Source& source, Node& node, const Shape& shape, const std::string& subject) {
  Validator(source).check(node, shape, subject);
}

}  // namespace slipway::definition
