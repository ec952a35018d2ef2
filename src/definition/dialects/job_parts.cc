#include "definition/dialects/job_parts.h"

#include <array>

#include <fmt/format.h>

#include "base/text.h"
#include "definition/dialects/command.h"
#include "definition/dialects/python.h"
#include "definition/limits.h"
#include "definition/scalars.h"
#include "model/units.h"

namespace slipway::definition {

namespace {

constexpr std::string_view kSource = "/job/src";

bool lies_in_job(std::string_view path) {
  const bool inside = path == "/job" || path.starts_with("/job/");
  const std::vector<std::string_view> names = split(path, '/');
  return inside && std::ranges::find(names, "..") == names.end();
}

// The largest unit that is exact.
std::string duration_text(std::int64_t seconds) {
  if (seconds % 3600 == 0) return fmt::format("{}h", seconds / 3600);
  if (seconds % 60 == 0) return fmt::format("{}m", seconds / 60);
  return fmt::format("{}s", seconds);
}

// Where the source lies, and where the job runs in it.
void put_directory(const Desk& desk, Node& job, Node* made) {
  if (Node* code = member(&job, "code_dir"); code != nullptr && code->text != kSource) {
    desk.source.report(*code, "E061",
                       fmt::format("`code_dir` cannot be `{}`: the source lies in {}", code->text, kSource),
                       "leave `code_dir` out; `working_dir` says where the job runs");
  }
  Node* directory = member(&job, "working_dir");
  if (Node* job_dir = member(&job, "job_dir"); job_dir != nullptr) {
    if (!lies_in_job(job_dir->text)) {
      return desk.source.report(*job_dir, "E061", fmt::format("`job_dir` cannot be `{}`", job_dir->text),
                                "an absolute path below /job");
    }
    if (directory == nullptr) directory = job_dir;
  }
  if (directory == nullptr || directory->text == kSource || directory->text.empty()) return;
  desk.make.put(made, *directory, "working_dir", desk.make.text(*directory, directory->text));
}

void put_run_as(const Desk& desk, Node& job, Node* made) {
  Node* user = member(member(&job, "run_as"), "user");
  if (user == nullptr || user->text.empty()) return;
  const std::string_view text = user->text;
  const std::size_t colon = text.find(':');
  const std::string_view id = text.substr(0, colon);
  const std::string_view group = colon == std::string_view::npos ? id : text.substr(colon + 1);
  std::string ours(id);
  if (text == "0:0" || text == "0") ours = "root";
  if (text == "1001:1001" || text == "1001") ours = "runner";
  const bool is_number = model::parse_integer(id, 0, 65'532).has_value();
  if (text == "host") {
    return desk.source.report(*user, "E014", "`host` is a user only in `run_local`", "`runner`, `root`, N or N:M");
  }
  if (id != group) {
    return desk.source.report(*user, "E014", fmt::format("a user `{}` and a group of another number", text),
                              fmt::format("a job's group has the number of its user: {}:{}", id, id));
  }
  if (ours != "root" && ours != "runner" && !is_number) {
    return desk.source.report(*user, "E014",
                              fmt::format("`run_as.user` cannot be `{}`", text.substr(0, kMaxNameLength)),
                              "`runner`, `root`, N or N:M, N up to 65532");
  }
  desk.make.put(made, *user, "run_as", desk.make.plain(*user, ours));
}

void put_labels(const Desk& desk, Node& job, Node* made) {
  std::vector<Node*> labels;
  if (Node* capabilities = member(&job, "capabilities")) {
    for (Node* item : items_of_list(capabilities)) {
      labels.push_back(desk.make.text(*item, item->text));
      if (item->text == "gpu") continue;  // told as the label that it becomes
      desk.no_effect(*item, made, fmt::format("the capability `{}`: no daemon reaches into a sandbox", item->text),
                     item->text == "docker" ? "a service or `nested: true` may do instead" : "");
    }
  }
  if (Node* worker = member(&job, "worker_class"); worker != nullptr && !worker->text.empty())
    labels.push_back(desk.make.text(*worker, "worker_class=" + worker->text));
  if (Node* wanted = member(&job, "characteristics")) {
    for (const Node::Entry& entry : wanted->entries) {
      const auto value = python_text(*entry.value);
      if (!value) {
        desk.source.report(*entry.value, "E013",
                           fmt::format("the characteristic `{}` is no single value", entry.key->text));
        continue;
      }
      labels.push_back(desk.make.text(*entry.value, entry.key->text + "=" + *value));
    }
  }
  if (!labels.empty()) desk.make.put(made, *labels.front(), "labels", desk.make.list(*labels.front(), labels));
}

}  // namespace

void translate_command(const Desk& desk, Node& job, Node* made) {
  Node* command = member(&job, "command");
  if (command == nullptr) return;
  const Node& key = key_of(job, "command");
  if (command->kind == Node::Kind::sequence) {
    std::vector<std::string> words;
    for (const Node* item : command->items) words.push_back(item->text);
    return desk.make.put(made, key, "command", desk.make.texts(*command, words));
  }
  if (trim(command->text).empty()) return desk.source.report(*command, "E036", "`command` is empty");
  const CommandWords plain = split_words(command->text);
  const Node* raw = member(&job, "raw_command");
  const bool is_raw = raw != nullptr && python_boolean(raw->text).value_or(false);
  if (const auto script = unwrapped_script(plain.words); script && !is_raw && !plain.quote_is_open) {
    return desk.make.put(made, key, "run", desk.make.text(*command, *script));
  }
  const Node* prefix = member(&job, "command_prefix");
  const CommandWords words = command_words(command->text, prefix == nullptr ? "" : prefix->text);
  if (prefix != nullptr && !words.by_shell)
    desk.no_effect(key_of(job, "command_prefix"), made, "`command_prefix`: it is for a command of several lines");
  if (words.quote_is_open) {
    return desk.source.report(*command, "E018", "a quote in `command` is not closed",
                              "a command of one line is split as a shell would; several lines are a script");
  }
  if (!words.shell_sign.empty()) {
    desk.source.note(*command, "E077",
                     fmt::format("`{}` is an argument here: a command of one line runs without a shell",
                                 words.shell_sign.substr(0, kMaxNameLength)),
                     "write it on several lines, or as sh -c '...'");
  }
  desk.make.put(made, key, "command", desk.make.texts(*command, words.words));
}

namespace {

/// `${secret:PATH:KEY}` as the name of a secret.
std::string secret_name(std::string_view path, std::string_view key) {
  std::string name = fmt::format("{}_{}", path, key);
  for (char& c : name) {
    const bool fits = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!fits) c = '_';
  }
  return name[0] >= '0' && name[0] <= '9' ? "_" + name : name;
}

/// References in a value, `${env:NAME}` put in. The secret that the whole value is, by its name.
class References {
 public:
  References(const Desk& desk, Node& value) : desk_(desk), value_(value) {}

  std::string read(std::string_view text) {
    std::string made;
    for (;;) {
      const std::size_t at = std::min(text.find("${secret:"), text.find("${env:"));
      made += text.substr(0, at);
      if (at == std::string_view::npos) break;
      text.remove_prefix(at);
      const std::size_t end = text.find('}');
      const std::string_view inside = text.substr(2, end == std::string_view::npos ? end : end - 2);
      if (end == std::string_view::npos) {
        wrong(fmt::format("`{}` has no end", text.substr(0, 40)), "a reference ends with `}`");
        return made;
      }
      text.remove_prefix(end + 1);
      if (inside.starts_with("env:"))
        made += variable(inside.substr(4));
      else
        take_secret(inside.substr(7), made.empty() && text.empty());
    }
    return made;
  }

  const std::string& secret() const { return secret_; }

 private:
  void wrong(std::string message, std::string hint) {
    desk_.source.report(value_, "E072", std::move(message), std::move(hint));
  }

  std::string variable(std::string_view name) {
    const std::string written = fmt::format("${{env:{}}}", name);
    if (!is_identifier(name)) {
      wrong(fmt::format("`{}` names no variable", written.substr(0, kMaxNameLength)), "as ${env:NAME}");
      return {};
    }
    if (desk_.options.variable == nullptr) {
      desk_.source.note(value_, "E078", fmt::format("`{}` stays as it is written", written),
                        "only `slipway run-job` puts variables of this machine in; here: `--env NAME=VALUE`");
      return written;
    }
    return desk_.options.variable(std::string(name)).value_or("");
  }

  void take_secret(std::string_view inside, bool alone) {
    const std::size_t colon = inside.rfind(':');
    if (colon == std::string_view::npos || colon == 0 || colon + 1 == inside.size()) {
      return wrong(fmt::format("`${{secret:{}}}` names no secret", inside.substr(0, kMaxNameLength)),
                   "as ${secret:PATH:KEY}");
    }
    const std::string name = secret_name(inside.substr(0, colon), inside.substr(colon + 1));
    if (!alone) {
      return wrong("a secret inside of a longer value",
                   fmt::format("give the secret a variable of its own, and put \"${}\" where it is used", name));
    }
    secret_ = name;
  }

  const Desk& desk_;
  Node& value_;
  std::string secret_;
};

/// `all_success[(needs)]`, `any_failed[(needs)]`, `always[()]`
Node* translate_condition(const Desk& desk, Node& condition, const std::vector<std::string>& depends_on) {
  std::string word(trim(condition.text));
  std::string_view inside;
  if (const std::size_t open = word.find('('); open != std::string::npos && word.ends_with(')')) {
    inside = trim(std::string_view(condition.text).substr(condition.text.find('(') + 1));
    inside.remove_suffix(1);
    inside = trim(inside);
    word = std::string(trim(std::string_view(word).substr(0, open)));
  }
  const bool argument = inside.empty() || (inside == "needs" && word != "always");
  if (argument && word == "all_success") return nullptr;  // what holds anyway
  if (argument && word == "always") return desk.make.expression(condition, "always");
  if (argument && word == "any_failed") {
    // There, a job that was cancelled has failed.
    std::string text = "any_failed";
    std::vector<std::string> quoted;
    for (const std::string& name : depends_on) quoted.push_back(expression_text(name));
    if (!quoted.empty()) text += fmt::format(" || cancelled({})", join(quoted, ", "));
    return desk.make.expression(condition, text);
  }
  desk.source.report(condition, "E014",
                     fmt::format("`condition` cannot be `{}`", condition.text.substr(0, kMaxNameLength)),
                     "it may be all_success, any_failed, always");
  return nullptr;
}

}  // namespace

void Desk::no_effect(const Node& key, const Node* near, const std::string& what, const std::string& hint) const {
  source.note(key, "E110", fmt::format("without effect: {}", what), hint);
  if (near != nullptr) comment(near, "without effect: " + what);
}

Node* translate_resources(const Desk& desk, Node& resources, const Node* near) {
  Node* made = desk.make.map(resources);
  for (const char* name : {"cpu", "memory"}) {
    Node* amount = member(&resources, name);
    if (amount == nullptr) amount = member(&resources, std::string(name) + "_limit");
    if (amount == nullptr) continue;
    Node* limit = amount->kind == Node::Kind::mapping ? member(amount, "limit") : amount;
    if (const Node* request = member(amount, "request"); request != nullptr)
      desk.no_effect(key_of(*amount, "request"), near,
                     fmt::format("`request` of {}: the limit is what is kept too", name));
    if (limit == nullptr || limit->text.empty()) continue;
    const bool bytes = std::string_view(name) == "memory" &&
                       std::ranges::all_of(limit->text, [](char c) { return c >= '0' && c <= '9'; });
    std::string text = limit->text;
    if (const auto count = bytes ? model::parse_integer(text, 0, 1LL << 60U) : model::parse_integer("", 0, 1)) {
      text = fmt::format("{}Ki", (*count + 1023) / 1024);
    }
    desk.make.put(made, *limit, name, desk.make.plain(*limit, text));
  }
  return made->entries.empty() ? nullptr : made;
}

Node* seconds_of(const Desk& desk, const Node& value) {
  const auto seconds = model::parse_integer(value.text, 0, 1LL << 40U);
  return seconds && *seconds > 0 ? desk.make.plain(value, duration_text(*seconds)) : nullptr;
}

void put_priority(const Desk& desk, const Node& key, Node& value, Node* made) {
  const auto number = model::parse_integer(value.text, -1'000'000, 1'000'000);
  if (!number) return;
  const std::int64_t ours = std::clamp<std::int64_t>(*number, 0, 100);
  if (ours != *number) {
    const std::string what = fmt::format("a priority is 0 to 100: {} counts as {}", *number, ours);
    desk.source.note(value, "E110", what);
    desk.comment(made, what);
  }
  desk.make.put(made, key, "priority", desk.make.plain(value, fmt::format("{}", ours)));
}

void put_script(const Desk& desk, const Node& key, Node& text, Node* made) {
  if (trim(text.text).empty()) return desk.source.report(text, "E036", "`job_command` is empty");
  desk.make.put(made, key, "run", desk.make.text(text, text.text));
}

void translate_job(const Desk& desk, Node& job, Node* made) {
  for (const char* key : {"image", "job_image"}) {
    if (Node* image = member(&job, key); image != nullptr && !image->text.empty())
      desk.make.put(made, key_of(job, key), "image", desk.make.text(*image, image->text));
  }
  put_run_as(desk, job, made);
  put_labels(desk, job, made);
  if (Node* priority = member(&job, "priority")) put_priority(desk, key_of(job, "priority"), *priority, made);
  for (const char* key : {"timeout", "timeout_seconds"}) {
    if (Node* timeout = member(&job, key)) desk.make.put(made, key_of(job, key), "timeout", seconds_of(desk, *timeout));
  }
  put_directory(desk, job, made);
  if (Node* secrets = member(&job, "image_pull_secrets"); secrets != nullptr && !items_of_list(secrets).empty()) {
    desk.no_effect(key_of(job, "image_pull_secrets"), made,
                   "`image_pull_secrets`: images are fetched with this machine's logins");
  }
  if (const Node* local = member(&job, "run_local"); local != nullptr && !local->entries.empty()) {
    desk.no_effect(key_of(job, "run_local"), made, "`run_local`: a job runs here as it runs anywhere");
  }
  if (Node* disabled = member(&job, "disable_run_local");
      disabled != nullptr && python_boolean(disabled->text) == true) {
    const Node& key = key_of(job, "disable_run_local");
    desk.comment(made, "`disable_run_local: true` has no equal: this runs on a person's machine too");
    if (desk.options.is_local) {
      desk.source.note(key, "E110", "the job is not for a person's machine (`disable_run_local`): it is skipped here");
      desk.make.put(made, key, "condition", desk.make.expression(*disabled, "false"));
    }
  }
}

void translate_environment(const Desk& desk, Node* environment, Node* made) {
  if (environment == nullptr || environment->kind != Node::Kind::mapping) return;
  Node* env = desk.make.map(*environment);
  Node* secrets = desk.make.list(*environment);
  std::map<std::string, std::string> written;  // name of a secret → the reference that became it
  for (const Node::Entry& entry : environment->entries) {
    if (entry.key->bad || entry.value->bad) continue;
    const auto text = python_text(*entry.value);
    if (!text) {
      const bool scalar = entry.value->kind == Node::Kind::scalar;
      desk.source.report(
          *entry.value, "E013",
          fmt::format("the variable `{}` is {}", entry.key->text, scalar ? "a point in time" : kind_name(*entry.value)),
          scalar ? "put it in quotes" : "a variable is one text");
      continue;
    }
    References references(desk, *entry.value);
    const std::string value = references.read(*text);
    if (references.secret().empty()) {
      desk.make.put(env, *entry.key, entry.key->text, desk.make.text(*entry.value, value));
      continue;
    }
    const auto [known, is_new] = written.try_emplace(references.secret(), *text);
    if (!is_new && known->second != *text) {
      desk.source.report(
          *entry.value, "E072",
          fmt::format("{} and {} would both be the secret {}", known->second, *text, references.secret()));
    }
    Node* name = desk.make.text(*entry.value, references.secret());
    Node* use = name;
    if (references.secret() != entry.key->text) {
      use = desk.make.map(*entry.value);
      desk.make.put(use, *entry.value, "name", name);
      desk.make.put(use, *entry.key, "env", desk.make.text(*entry.key, entry.key->text));
    }
    secrets->items.push_back(use);
    desk.comment(secrets, fmt::format("{} is the secret {}", *text, references.secret()));
  }
  if (!env->entries.empty()) desk.make.put(made, *environment, "env", env);
  if (!secrets->items.empty()) desk.make.put(made, *environment, "secrets", secrets);
}

void translate_graph(const Desk& desk, Node& job, Node* made) {
  std::vector<std::string> depends_on;
  for (const char* key : {"depends_on", "needs"}) {
    Node* wanted = member(&job, key);
    if (wanted == nullptr) continue;
    std::vector<Node*> names;
    for (Node* item : items_of_list(wanted)) {
      depends_on.push_back(item->text);
      names.push_back(desk.make.text(*item, item->text));
    }
    if (!names.empty()) desk.make.put(made, key_of(job, key), "depends_on", desk.make.list(*wanted, names));
  }
  if (Node* condition = member(&job, "condition"); condition != nullptr && !condition->text.empty())
    desk.make.put(made, key_of(job, "condition"), "condition", translate_condition(desk, *condition, depends_on));
  Node* each = member(&job, "for_each");
  Node* variable = member(&job, "item_var");
  if (each == nullptr || items_of_list(each).empty()) {
    if (variable != nullptr) desk.no_effect(key_of(job, "item_var"), made, "`item_var`: there is no `for_each`");
    return;
  }
  Node* for_each = desk.make.map(*each);
  std::vector<Node*> values;
  for (Node* item : items_of_list(each))
    values.push_back(desk.make.text(*item, python_text(*item).value_or(item->text)));
  desk.make.put(for_each, *each, "in", desk.make.list(*each, values));
  if (variable != nullptr && !variable->text.empty())
    desk.make.put(for_each, *variable, "as", desk.make.text(*variable, variable->text));
  desk.make.put(for_each, *each, "names", desk.make.plain(*each, "numbers"));
  desk.make.put(made, key_of(job, "for_each"), "for_each", for_each);
}

namespace {

/// `include` and `exclude` as one list of patterns of which the last match decides.
Node* patterns_of(const Desk& desk, Node* paths) {
  if (paths == nullptr || paths->kind != Node::Kind::mapping) return nullptr;
  std::vector<Node*> patterns;
  const auto add = [&](const char* key, const std::string& before) {
    Node* list = member(paths, key);
    if (list == nullptr) return;
    for (Node* item : items_of_list(list)) patterns.push_back(desk.make.text(*item, before + item->text));
  };
  add("include", "");
  const bool all = patterns.empty();
  add("exclude", "!");
  if (patterns.empty()) return nullptr;
  if (all) patterns.insert(patterns.begin(), desk.make.text(*paths, "**"));
  return desk.make.list(*paths, patterns);
}

void add_action(std::vector<std::string>& actions, std::string_view event) {
  constexpr std::string_view kPullRequest = "pull_request_";
  if (!event.starts_with(kPullRequest)) return;
  actions.emplace_back(event.substr(kPullRequest.size()));
  if (event == "pull_request_opened") actions.emplace_back("reopened");
}

}  // namespace

Node* translate_triggers(const Desk& desk, Node* triggers, Node* paths) {
  if (triggers == nullptr || triggers->kind != Node::Kind::mapping) return nullptr;
  Node* events = member(triggers, "events");
  if (events == nullptr) return nullptr;
  Node* on = desk.make.map(*triggers);
  std::vector<std::string> actions;
  Node* branches = nullptr;
  if (Node* given = member(triggers, "branches"); given != nullptr && !items_of_list(given).empty()) {
    std::vector<Node*> patterns;
    for (Node* item : items_of_list(given)) patterns.push_back(desk.make.text(*item, item->text));
    branches = desk.make.list(*given, patterns);
  }
  Node* push = nullptr;
  Node* request = nullptr;
  for (Node* event : items_of_list(events)) {
    const bool of_request = event->text.starts_with("pull_request");
    if (event->text == "pull_request") actions = {"opened", "updated", "reopened"};  // of a registry
    add_action(actions, event->text);
    if (event->text == "push" && push == nullptr) desk.make.put(on, *event, "push", push = desk.make.map(*event));
    if (of_request && request == nullptr) desk.make.put(on, *event, "pull_request", request = desk.make.map(*event));
    if ((event->text == "tag_created" || event->text == "tag") && member(on, "tag") == nullptr)
      desk.make.put(on, *event, "tag", desk.make.map(*event));
  }
  const bool usual = actions.size() == 3 && std::ranges::count(actions, "updated") == 1 &&
                     std::ranges::count(actions, "opened") == 1;  // what `pull_request` means without `events`
  if (request != nullptr && !usual) desk.make.put(request, *events, "events", desk.make.texts(*events, actions));
  for (Node* filtered : {push, request}) {
    if (filtered == nullptr) continue;
    if (branches != nullptr) desk.make.put(filtered, *branches, "branches", branches);
    if (Node* patterns = patterns_of(desk, paths)) desk.make.put(filtered, *patterns, "paths", patterns);
  }
  return on->entries.empty() ? nullptr : on;
}

void put_text(const Desk& desk, Node& from, std::string_view key, Node* made) {
  Node* text = member(&from, key);
  if (text == nullptr || text->text.empty()) return;
  desk.make.put(made, key_of(from, key), key, desk.make.text(*text, text->text));
}

}  // namespace slipway::definition
