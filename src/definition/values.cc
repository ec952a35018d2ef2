#include "definition/values.h"

#include <fmt/format.h>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "base/text.h"
#include "definition/limits.h"
#include "definition/scalars.h"
#include "definition/validate.h"
#include "model/http_target.h"
#include "model/units.h"

namespace slipway::definition {

namespace {

boost::json::value json_of(const Node& node) {
  switch (node.kind) {
    case Node::Kind::null: return nullptr;
    case Node::Kind::sequence: {
      boost::json::array array;
      for (const Node* item : node.items) array.push_back(json_of(*item));
      return array;
    }
    case Node::Kind::mapping: {
      boost::json::object object;
      for (const Node::Entry& entry : node.entries) object[entry.key->text] = json_of(*entry.value);
      return object;
    }
    case Node::Kind::scalar: break;
  }
  const model::Value value = value_of(node);
  if (const auto* flag = std::get_if<bool>(&value.data)) return *flag;
  if (const auto* number = std::get_if<double>(&value.data)) {
    const auto whole = static_cast<std::int64_t>(*number);
    if (static_cast<double>(whole) == *number) return whole;
    return *number;
  }
  return boost::json::string(node.text);
}

template <class E>
E choice_of(Node* node, std::initializer_list<std::pair<std::string_view, E>> choices, E otherwise) {
  if (node == nullptr) return otherwise;
  for (const auto& [name, value] : choices) {
    if (node->text == name) return value;
  }
  return otherwise;
}

}  // namespace

// --- Plain values ---

Fields::Fields(const Context& context, Node* mapping) : context_(context) {
  if (mapping == nullptr) return;
  for (const Node::Entry& entry : mapping->entries) {
    if (entry.value->bad || entry.key->bad) continue;
    if (const Key* key = find_key(context, entry.key->text)) values_.emplace_back(key, entry.value);
  }
}

Node* Fields::get(std::string_view key) const {
  SW_ASSERT(find_key(context_, key) != nullptr, "a key that is read must be in the table");
  for (const auto& [known, value] : values_) {
    if (known->name == key) return value;
  }
  return nullptr;
}

std::vector<Node*> items_of(Node* node) {
  std::vector<Node*> items;
  if (node == nullptr || node->bad || node->kind == Node::Kind::null) return items;
  if (node->kind != Node::Kind::sequence) return {node};
  for (Node* item : node->items) {
    if (!item->bad) items.push_back(item);
  }
  return items;
}

std::string text_of(Node* node) { return node == nullptr ? std::string() : node->text; }

std::vector<std::string> texts_of(Node* node) {
  std::vector<std::string> texts;
  for (const Node* item : items_of(node)) texts.push_back(item->text);
  return texts;
}

bool boolean_of(Node* node, bool otherwise) {
  return node == nullptr ? otherwise : model::parse_boolean(node->text).value_or(otherwise);
}

std::optional<int> integer_of(Node* node) {
  if (node == nullptr) return std::nullopt;
  const auto number = model::parse_integer(node->text, INT32_MIN, INT32_MAX);
  return number ? std::optional(static_cast<int>(*number)) : std::nullopt;
}

std::optional<Duration> duration_of(Node* node) {
  if (node == nullptr) return std::nullopt;
  const auto duration = model::parse_duration(node->text);
  return duration ? std::optional(*duration) : std::nullopt;
}

std::optional<model::Template> Values::template_of(Node* node) const {
  if (node == nullptr || node->bad || node->kind != Node::Kind::scalar) return std::nullopt;
  if (!has_expression(*node)) return model::Template::of(node->text, place(*node));
  auto parsed = parse_template(node->text, source_.places_in(*node));
  if (auto* made = std::get_if<model::Template>(&parsed)) {
    made->place = place(*node);
    return std::move(*made);
  }
  return std::nullopt;
}

std::vector<model::Template> Values::templates_of(Node* node) const {
  std::vector<model::Template> templates;
  for (Node* item : items_of(node)) {
    if (auto made = template_of(item)) templates.push_back(std::move(*made));
  }
  return templates;
}

model::ExpressionPtr Values::expression_of(Node* node) const {
  if (node == nullptr || node->bad) return nullptr;
  auto parsed = parse_expression(node->text, source_.places_in(*node));
  auto* expression = std::get_if<model::ExpressionPtr>(&parsed);
  return expression == nullptr ? nullptr : std::move(*expression);
}

model::TemplateMap Values::env_of(Node* node) const {
  model::TemplateMap env;
  if (node == nullptr) return env;
  for (const Node::Entry& entry : node->entries) {
    if (entry.key->bad) continue;
    if (auto made = template_of(entry.value)) env.emplace_back(entry.key->text, std::move(*made));
  }
  return env;
}

model::Named<model::Value> Values::value_map_of(Node* node) const {
  model::Named<model::Value> values;
  if (node == nullptr) return values;
  for (const Node::Entry& entry : node->entries) {
    if (!entry.key->bad && !entry.value->bad) values.emplace_back(entry.key->text, value_of(*entry.value));
  }
  return values;
}

// --- Parts of a job ---

std::optional<model::Concurrency> Values::concurrency_of(Node* node) const {
  if (node == nullptr) return std::nullopt;
  const bool short_form = node->kind == Node::Kind::scalar;
  const Fields fields(*find_key(kWorkflowContext, "concurrency")->shape->forms[1]->context,
                      short_form ? nullptr : node);
  auto group = template_of(short_form ? node : fields.get("group"));
  if (!group) return std::nullopt;
  using Policy = model::Concurrency::Policy;
  return model::Concurrency{
      std::move(*group),
      choice_of(fields.get("policy"),
                {{"queue", Policy::queue}, {"latest", Policy::latest}, {"cancel_running", Policy::cancel_running}},
                Policy::queue)};
}

void Values::check_secret_file(Node& file) {
  const std::string directory = workspace_ + "/secrets";
  const std::string_view path = file.text;
  const std::size_t last = path.rfind('/');
  const std::string_view name = last == std::string_view::npos ? "" : path.substr(last + 1);
  if (path.substr(0, path.size() - name.size()) == directory + "/" && !name.empty() && name != "." && name != "..") {
    return;
  }
  source_.report(file, "E060", fmt::format("a secret's file lies directly in {}", directory),
                 fmt::format("as {}/NAME: it is in memory only", directory));
}

std::vector<model::SecretUse> Values::secrets_of(Node* node) {
  std::vector<model::SecretUse> secrets;
  const Context& context = *find_key(kStepContext, "secrets")->shape->item->forms[1]->context;
  for (Node* item : items_of(node)) {
    model::SecretUse use;
    use.place = place(*item);
    if (item->kind == Node::Kind::scalar) {
      use.name = item->text;
      if (!is_identifier(use.name)) {
        source_.report(*item, "E060", fmt::format("`{}` cannot be the name of a variable", use.name),
                       fmt::format("write {{name: {}, env: NAME}}", use.name));
      }
      use.env = use.name;
    } else {
      const Fields fields(context, item);
      Node* file = fields.get("file");
      Node* env = fields.get("env");
      use.name = text_of(fields.get("name"));
      use.file = text_of(file);
      use.env = env != nullptr || file != nullptr ? text_of(env) : use.name;
      if (file != nullptr && env != nullptr)
        source_.report(*item, "E060", fmt::format("secret `{}` has both `env` and `file`", use.name), "keep one");
      if (file != nullptr) check_secret_file(*file);
    }
    secrets.push_back(std::move(use));
  }
  return secrets;
}

void Values::check_service(Node& node, const model::Service& service) {
  if (!is_host_name(service.name) || service.name == "localhost") {
    source_.report(node, "E018", fmt::format("`{}` cannot be the host name of a service", service.name),
                   "letters, digits, `-`, `_` and `.`, at most 63");
  }
  const std::string image = service.image.is_literal() ? service.image.literal() : std::string();
  if (service.command.empty() && (image == "host" || image.starts_with('/'))) {
    source_.report(node, "E036", fmt::format("service `{}` has nothing to run", service.name),
                   fmt::format("give it a `command`: the image `{}` has none of its own", image));
  }
}

std::vector<model::Service> Values::services_of(Node* node) {
  std::vector<model::Service> services;
  const Context& context = *find_key(kJobContext, "services")->shape->item->context;
  for (Node* item : items_of(node)) {
    const Fields fields(context, item);
    model::Service service;
    service.place = place(*item);
    service.name = text_of(fields.get("name"));
    service.image = template_of(fields.get("image")).value_or(model::Template());
    service.env = env_of(fields.get("env"));
    service.command = texts_of(fields.get("command"));
    if (Node* ready = fields.get("ready")) {
      const Fields when(*find_key(context, "ready")->shape->context, ready);
      model::Readiness& made = service.ready.emplace();
      made.tcp = integer_of(when.get("tcp"));
      made.http = text_of(when.get("http"));
      made.log = text_of(when.get("log"));
      made.command = texts_of(when.get("command"));
      made.within = duration_of(when.get("within")).value_or(made.within);
      if (!made.http.empty() && !model::http_target(made.http)) {
        source_.report(*when.get("http"), "E018", fmt::format("`{}` is not an address that can be asked", made.http),
                       "http://localhost:PORT/PATH, or use `command`");
      }
    }
    check_service(*item, service);
    const bool twice =
        std::ranges::any_of(services, [&](const model::Service& other) { return other.name == service.name; });
    if (twice) source_.report(*item, "E030", fmt::format("there are two services `{}`", service.name));
    services.push_back(std::move(service));
  }
  return services;
}

void Values::check_path(const model::Template& path, std::string_view of) {
  const std::string text = path.parts.empty() ? std::string() : path.parts.front().text;
  bool upwards = false;
  for (const model::Template::Part& part : path.parts) {
    for (const std::string_view name : split(part.text, '/')) upwards = upwards || name == "..";
  }
  if (path.parts.empty())
    source_.report_at(path.place, "E061", fmt::format("a path of {} is empty", of));
  else if (upwards)
    source_.report_at(path.place, "E061", fmt::format("a path of {} leaves its directory by `..`", of),
                      fmt::format("name files below the working directory or {}", workspace_));
}

std::vector<model::CacheDefinition> Values::cache_of(Node* node) {
  std::vector<model::CacheDefinition> caches;
  const Context& context = *find_key(kJobContext, "cache")->shape->item->context;
  for (Node* item : items_of(node)) {
    const Fields fields(context, item);
    model::CacheDefinition cache;
    cache.place = place(*item);
    cache.key = template_of(fields.get("key")).value_or(model::Template());
    cache.restore = templates_of(fields.get("restore"));
    cache.paths = templates_of(fields.get("paths"));
    for (const model::Template& path : cache.paths) check_path(path, "a cache");
    caches.push_back(std::move(cache));
  }
  return caches;
}

std::vector<model::ArtifactDefinition> Values::artifacts_of(Node* node) {
  using When = model::ArtifactDefinition::When;
  std::vector<model::ArtifactDefinition> artifacts;
  const Context& context = *find_key(kJobContext, "artifacts")->shape->item->context;
  for (Node* item : items_of(node)) {
    const Fields fields(context, item);
    model::ArtifactDefinition artifact;
    artifact.place = place(*item);
    artifact.name = template_of(fields.get("name")).value_or(model::Template());
    artifact.paths = templates_of(fields.get("paths"));
    artifact.when =
        choice_of(fields.get("when"),
                  {{"success", When::success}, {"failure", When::failure}, {"always", When::always}}, When::success);
    artifact.expires = duration_of(fields.get("expires"));
    for (const model::Template& path : artifact.paths) {
      check_path(path, "an artifact");
      const std::string begin = path.parts.empty() ? "" : path.parts.front().text;
      if (begin.starts_with('/') && !begin.starts_with(workspace_ + "/")) {
        source_.report_at(path.place, "E061",
                          fmt::format("an artifact lies below the working directory or {}", workspace_),
                          "copy it there first");
      }
    }
    if (artifact.name.is_literal() && !model::is_artifact_name(artifact.name.literal()) &&
        fields.get("name") != nullptr) {
      source_.report(*fields.get("name"), "E018",
                     fmt::format("an artifact cannot be called `{}`", artifact.name.literal()),
                     std::string(model::kArtifactNameRule));
    }
    artifacts.push_back(std::move(artifact));
  }
  return artifacts;
}

std::vector<model::Hook> Values::hooks_of(Node* node) const {
  std::vector<model::Hook> hooks;
  const Context& context = *find_key(kJobContext, "hooks")->shape->item->context;
  for (Node* item : items_of(node)) {
    const Fields fields(context, item);
    const auto phase = model::phase_of(text_of(fields.get("phase")));
    if (!phase) continue;  // told of already
    hooks.push_back({*phase, text_of(fields.get("run")), integer_of(fields.get("priority")).value_or(100),
                     duration_of(fields.get("timeout")), place(*item)});
  }
  return hooks;
}

std::optional<model::Matrix> Values::matrix_of(Node* node) {
  if (node == nullptr) return std::nullopt;
  const Fields fields(*find_key(kJobContext, "matrix")->shape->context, node);
  model::Matrix matrix;
  matrix.place = place(*node);
  if (Node* axes = fields.get("axes")) {
    for (const Node::Entry& entry : axes->entries) {
      if (entry.key->bad || entry.value->bad) continue;
      std::vector<model::Value> values;
      for (const Node* item : items_of(entry.value)) values.push_back(value_of(*item));
      matrix.axes.emplace_back(entry.key->text, std::move(values));
    }
  }
  for (Node* item : items_of(fields.get("exclude"))) matrix.exclude.push_back(value_map_of(item));
  for (Node* item : items_of(fields.get("include"))) matrix.include.push_back(value_map_of(item));
  matrix.max_parallel = integer_of(fields.get("max_parallel"));
  matrix.fail_fast = boolean_of(fields.get("fail_fast"), true);
  check_matrix(*node, matrix);
  return matrix;
}

void Values::check_matrix(Node& node, const model::Matrix& matrix) {
  const auto has_bad = [](const Node::Entry& entry) {
    return entry.value->bad || std::ranges::any_of(entry.value->items, &Node::bad) ||
           std::ranges::any_of(entry.value->entries, [](const Node::Entry& axis) { return axis.value->bad; });
  };
  if (std::ranges::any_of(node.entries, has_bad)) return;  // it was reported
  if (matrix.axes.empty() && matrix.include.empty()) {
    return source_.report(node, "E050", "a matrix without `axes` and `include` has no combination",
                          "add `axes: {NAME: [VALUE, ...]}`");
  }
  std::size_t count = matrix.axes.empty() ? 0 : 1;
  std::vector<std::string> names;
  for (const auto& [name, values] : matrix.axes) {
    names.push_back(name);
    if (values.empty()) source_.report(node, "E050", fmt::format("the axis `{}` has no value", name));
    // More values than a matrix may have are refused below: they need no comparing.
    for (std::size_t i = 0; i < values.size() && values.size() <= model::kMaxCombinations; ++i) {
      if (std::find(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(i), values[i]) !=
          values.begin() + static_cast<std::ptrdiff_t>(i)) {
        source_.report(
            node, "E050",
            fmt::format("the axis `{}` has the value {} twice", name, model::to_text(values[i]).value_or("null")));
        break;
      }
    }
    count = std::min(count * values.size(), kMaxNodes);
  }
  for (const auto& excluded : matrix.exclude) {
    for (const auto& [name, value] : excluded) {
      if (std::ranges::find(names, name) != names.end()) continue;
      source_.report(node, "E050", fmt::format("`exclude` names `{}`, which is not an axis", name),
                     source_.suggestion(name, names));
    }
  }
  if (count + matrix.include.size() > model::kMaxCombinations) {
    source_.report(node, "E051", fmt::format("the matrix has {} combinations", count + matrix.include.size()),
                   fmt::format("at most {} of one job, before `exclude`", model::kMaxCombinations));
  }
}

std::optional<model::ForEach> Values::for_each_of(Node* node) const {
  if (node == nullptr) return std::nullopt;
  const Fields fields(*find_key(kJobContext, "for_each")->shape->context, node);
  Node* in = fields.get("in");
  model::ForEach each;
  each.place = place(*node);
  if (Node* as = fields.get("as")) each.as = as->text;
  each.numbered = text_of(fields.get("names")) == "numbers";
  if (in != nullptr && in->kind == Node::Kind::scalar) {
    each.in = expression_of(in);
  } else {
    std::vector<model::Value> values;
    for (const Node* item : items_of(in)) values.push_back(value_of(*item));
    each.in = std::move(values);
  }
  return each;
}

std::optional<model::Retry> Values::retry_of(Node* node, model::Retry standard) const {
  if (node == nullptr) return std::nullopt;
  const Fields fields(*find_key(kJobContext, "retry")->shape->context, node);
  model::Retry retry = std::move(standard);
  retry.attempts = integer_of(fields.get("attempts")).value_or(retry.attempts);
  retry.backoff = duration_of(fields.get("backoff")).value_or(retry.backoff);
  if (Node* on = fields.get("on")) {
    retry.on.clear();
    for (const std::string& outcome : texts_of(on)) {
      if (const auto known = model::outcome_of(outcome)) retry.on.push_back(*known);
    }
  }
  return retry;
}

std::optional<model::Checkout> Values::checkout_of(Node* node) const {
  if (node == nullptr) return std::nullopt;
  if (node->kind == Node::Kind::scalar) return model::Checkout{.none = true, .depth = std::nullopt};
  const Fields fields(*find_key(kJobContext, "checkout")->shape->forms[1]->context, node);
  return model::Checkout{.none = false,
                         .depth = integer_of(fields.get("depth")),
                         .submodules = boolean_of(fields.get("submodules"), false),
                         .lfs = boolean_of(fields.get("lfs"), false),
                         .clean = boolean_of(fields.get("clean"), false)};
}

std::optional<model::RunAs> Values::run_as_of(Node* node, bool on_step) {
  using Kind = model::RunAs::Kind;
  if (node == nullptr) return std::nullopt;
  if (node->text == "runner") return model::RunAs{Kind::runner, 0};
  if (node->text == "root") return model::RunAs{Kind::root, 0};
  if (node->text == "source" && on_step) return model::RunAs{Kind::source, 0};
  if (const auto uid = model::parse_integer(node->text, 0, 65'532))
    return model::RunAs{Kind::number, static_cast<std::uint32_t>(*uid)};
  source_.report(*node, "E014",
                 fmt::format("`run_as` cannot be `{}`{}", node->text.substr(0, kMaxNameLength),
                             node->text == "source" ? " on a job" : ""),
                 node->text == "source" ? "say it on the step that runs source"
                                        : "`runner`, `root`, a number up to 65532, or on a step `source`");
  return std::nullopt;
}

std::vector<std::string> Values::shell_of(Node* node) const {
  if (node == nullptr) return {};
  if (node->kind == Node::Kind::sequence) return texts_of(node);
  std::vector<std::string> words;
  for (const std::string_view word : split(node->text, ' ')) {
    if (!word.empty()) words.emplace_back(word);
  }
  // A bare `bash` or `sh` means the careful form of it; with options of its own it is taken as written.
  if (words.size() == 1 && words[0] == "bash") return {"bash", "-euo", "pipefail"};
  if (words.size() == 1 && words[0] == "sh") return {"sh", "-e"};
  return words;
}

std::optional<model::Opaque> Values::opaque_of(Node* node) const {
  if (node == nullptr) return std::nullopt;
  return model::Opaque{boost::json::serialize(json_of(*node)), place(*node)};
}

}  // namespace slipway::definition
