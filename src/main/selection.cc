#include "main/selection.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "base/json.h"
#include "base/paths.h"
#include "base/text.h"
#include "definition/presets.h"
#include "model/trust.h"
#include "source/git_command.h"
#include "source/local_directory.h"

namespace slipway::program {

namespace json = boost::json;

namespace {

// Code from elsewhere than the checkout that the user stands in.
bool is_foreign(const cli::Selection& what) { return !what.git_url.empty() || !what.source_url.empty(); }

// A job without a file: `--job-command TEXT`.
cli::DefinitionFile command_definition(const std::string& command) {
  model::JobDefinition job;
  job.name = "command";
  model::StepDefinition step;
  step.name = "command";
  step.action = model::Script{command};
  job.steps.push_back(std::move(step));
  model::Workflow workflow;
  workflow.name = "command";
  workflow.file = "--job-command";
  workflow.is_single_job = true;
  workflow.jobs.push_back(std::move(job));
  return {"--job-command", command, std::make_shared<const model::Workflow>(std::move(workflow)), {}};
}

std::string event_json(const model::Event& event) {
  json::object object{
      {"event", to_string(event.kind)},         {"branch", event.branch}, {"tag", event.tag},  {"sha", event.sha},
      {"default_branch", event.default_branch}, {"actor", event.actor},   {"repo", event.repo}};
  json::object inputs;
  for (const auto& [key, value] : event.inputs) inputs[key] = value;
  object["inputs"] = std::move(inputs);
  if (event.pull_request) {
    object["pr"] = {{"number", event.pull_request->number},
                    {"title", event.pull_request->title},
                    {"base", event.pull_request->base},
                    {"head", event.pull_request->head},
                    {"fork", event.pull_request->fork}};
  }
  return json::serialize(object);
}

// What a job reads as SLIPWAY_EVENT: the payload as it came, with the inputs that hold, those of the command line and
// the defaults included.
Result<std::string> with_inputs(const std::string& payload,
                                const std::vector<std::pair<std::string, model::Value>>& inputs) {
  if (inputs.empty()) return payload;
  SW_TRY(json::object object, parse_object(payload, "the event"));
  json::object& all = object["inputs"].is_object() ? object["inputs"].get_object() : object["inputs"].emplace_object();
  for (const auto& [name, value] : inputs) {
    if (std::holds_alternative<std::nullptr_t>(value.data)) {
      all[name] = nullptr;  // another event's input
      continue;
    }
    SW_TRY(all[name], model::to_text(value));
  }
  return json::serialize(object);
}

Result<model::Event> make_event(const cli::Selection& what, const std::optional<EventFile>& file, Selected& selected,
                                const os::CallLimit& limit) {
  if (file) selected.warnings = file->warnings();
  model::Event event;
  event.kind = file ? file->kind().value_or(what.event) : what.event;
  if (what.event_given && event.kind != what.event) {
    return fail(ErrorKind::invalid, fmt::format("--event says {}, {} says {}: leave one out", to_string(what.event),
                                                what.event_file, to_string(event.kind)));
  }
  event.branch = selected.source.branch;
  // A commit of this repository is looked at as if it were pushed to the branch that is checked out.
  if (event.branch.empty() && !selected.is_foreign) event.branch = selected.tree.branch;
  event.sha = selected.source.sha;
  event.default_branch = selected.tree.default_branch.empty() ? "main" : selected.tree.default_branch;
  event.repo = selected.tree.root.filename().string();
  if (const char* user = std::getenv("USER")) event.actor = user;
  if (event.kind == model::EventKind::tag) {
    SW_TRY(event.tag, source::tag_at_head(selected.tree, limit));
  }
  if (event.kind == model::EventKind::pull_request) {
    event.action = "opened";
    event.pull_request = model::PullRequest{0, "", event.default_branch, event.branch, false};
  }
  if (file) file->apply_to(event);
  for (const auto& [name, value] : what.inputs) event.inputs[name] = value;
  if (event.json.empty()) event.json = event_json(event);
  return event;
}

// `test` and `test (gcc, 17)` are of the job `test`.
bool is_of(const model::Workflow& workflow, const std::string& name) {
  return std::ranges::any_of(workflow.jobs, [&](const model::JobDefinition& job) {
    return job.name == name || name.starts_with(job.name + " (");
  });
}

bool takes_input(const model::Workflow& workflow, const std::string& name) {
  return std::ranges::any_of(workflow.on, [&](const model::Trigger& trigger) {
    return std::ranges::any_of(trigger.inputs, [&](const auto& input) { return input.first == name; });
  });
}

// `--job` and `--input` of a command line that starts several workflows mean those that know the name. A name that
// none knows stays with all of them, so that planning says what is wrong with it.
class Narrowing {
 public:
  Narrowing(const model::Event& event, const model::RunOptions& options) : event_(event), options_(options) {}

  void apply_to(std::vector<cli::Planned>& all) {
    for (const cli::Planned& planned : all) {
      if (planned.start.starts) starting_.push_back(planned.workflow.get());
    }
    for (cli::Planned& planned : all) {
      if (!planned.start.starts || options_.only_jobs.empty() || !options_for(*planned.workflow).only_jobs.empty())
        continue;
      planned.start.starts = false;
      planned.start.because.push_back({"--job " + join(options_.only_jobs, ", "), "is of another workflow"});
    }
  }

  model::Event event_for(const model::Workflow& workflow) const {
    model::Event event = event_;
    std::erase_if(event.inputs, [&](const auto& input) { return is_others(workflow, input.first, takes_input); });
    return event;
  }
  model::RunOptions options_for(const model::Workflow& workflow) const {
    model::RunOptions options = options_;
    std::erase_if(options.only_jobs, [&](const std::string& name) { return is_others(workflow, name, is_of); });
    return options;
  }

 private:
  template <class Knows>
  bool is_others(const model::Workflow& workflow, const std::string& name, Knows&& knows) const {
    return !knows(workflow, name) &&
           std::ranges::any_of(starting_, [&](const model::Workflow* other) { return knows(*other, name); });
  }

  const model::Event& event_;
  const model::RunOptions& options_;
  std::vector<const model::Workflow*> starting_;
};

bool asks_for_paths(const std::vector<cli::DefinitionFile>& files) {
  return std::ranges::any_of(files, [](const cli::DefinitionFile& file) {
    return file.workflow &&
           std::ranges::any_of(file.workflow->on, [](const model::Trigger& trigger) { return !trigger.paths.empty(); });
  });
}

source::SourceSpec source_spec(const cli::Selection& what, const source::WorkingTree& tree) {
  if (!what.source_url.empty()) return {"", what.source_url, what.source_ref, {}};
  if (!what.git_url.empty()) return {"git", what.git_url, what.git_ref, {}};
  if (!what.commit.empty()) return {"git", tree.root.string(), what.commit, {}};
  return {"directory", tree.root.string(), {}, {}};
}

// As forges keep proposals of strangers beside the branches of a repository.
bool names_a_proposal(std::string_view ref) {
  if (ref.starts_with("refs/")) ref.remove_prefix(5);
  return ref.starts_with("pull/") || ref.starts_with("merge-requests/");
}

bool is_own_tree(const cli::Selection& what, const Selected& selected) {
  return !selected.is_foreign && what.commit.empty();
}

void distrust(std::vector<cli::DefinitionFile>& files) {
  for (cli::DefinitionFile& file : files) {
    if (!file.workflow) continue;
    auto workflow = std::make_shared<model::Workflow>(*file.workflow);
    for (model::JobDefinition& job : workflow->jobs) job.trust = model::Trust::untrusted;
    for (auto& [name, made] : workflow->templates) made.job.trust = model::Trust::untrusted;
    file.workflow = std::move(workflow);
  }
}

// What holds the source's files: of a repository, or of a part of a checkout, the whole checkout. None: the source is
// of another machine.
Result<std::optional<std::filesystem::path>> directory_of_source(const Selected& selected, const os::CallLimit& limit) {
  SW_TRY(std::optional<std::filesystem::path> local,
         source::local_directory(selected.is_foreign
                                     ? selected.source_spec
                                     : source::SourceSpec{"directory", selected.tree.root.string(), {}, {}, {}}));
  std::error_code unreadable;
  if (!local || !std::filesystem::is_directory(*local, unreadable)) return local;
  const auto repository = std::ranges::find(*local, std::filesystem::path(".git"));
  std::filesystem::path checkout;
  for (auto name = local->begin(); name != repository; ++name) checkout /= *name;
  SW_TRY(const source::WorkingTree tree, source::read_working_tree(checkout, limit));
  checkout = std::filesystem::canonical(tree.root, unreadable);
  if (unreadable) return fail(ErrorKind::unavailable, tree.root.string() + ": " + unreadable.message());
  return checkout;
}

// Does `path` lie in what the run is about, or is it reached through there? A working tree too may be checked out at a
// stranger's commit: what is of the same repository is not told apart. What cannot be looked at is the source's.
bool is_of_source(const Selected& selected, const std::filesystem::path& path, const os::CallLimit& limit) {
  const auto source = directory_of_source(selected, limit);
  if (!source) return true;
  if (!*source) return false;
  std::filesystem::path reached;
  bool is_inside = false;
  for (const std::filesystem::path& name : path) {
    std::error_code unreadable;
    if (name == "..") {  // of where links have led; the way here is left behind
      reached = std::filesystem::weakly_canonical(reached, unreadable).parent_path();
      is_inside = false;
    } else {
      reached /= name;
    }
    if (unreadable) return true;
    const std::filesystem::path real = std::filesystem::weakly_canonical(reached, unreadable);
    if (unreadable) return true;
    is_inside = is_inside || lies_below(real.native(), (*source)->native());
  }
  return is_inside;
}

// The FILE of the command line. Of another revision it is read from there, where it exists there: but not from code
// that is not to be trusted, where the user has one that is not of that code. A file outside the project is read as it
// is named.
Result<void> read_named_file(const cli::Selection& what, const std::filesystem::path& directory,
                             source::Sources& sources, const os::CallLimit& limit, Selected& selected) {
  const bool own_tree = is_own_tree(what, selected);
  const bool untrusted = selected.source_trust == model::Trust::untrusted;
  const std::filesystem::path named = (directory / what.file).lexically_normal();
  const std::filesystem::path below = named.lexically_relative(selected.tree.root);
  const bool inside = !below.empty() && !below.string().starts_with("..");
  // Only where the source is a stranger's does it matter whose the file is.
  const bool is_mine =
      untrusted && ::access(named.c_str(), F_OK) == 0 && !is_of_source(selected, directory / what.file, limit);
  const bool there =
      !own_tree && inside && ::access((selected.source.directory / below).c_str(), F_OK) == 0 && !is_mine;
  if (there) {
    SW_TRY(selected.files,
           cli::read_definitions({below.string()}, selected.source.directory, selected.source.directory));
  } else {
    definition::ReadOptions reading;
    // Of whoever calls, and only for a file that is theirs.
    if (what.is_job_file && !untrusted) {
      reading.variable = [](const std::string& name) {
        const char* value = std::getenv(name.c_str());
        return value == nullptr ? std::optional<std::string>() : std::optional<std::string>(value);
      };
    }
    SW_TRY(selected.files, cli::read_definitions({what.file}, directory, selected.tree.root, reading));
  }
  if (untrusted && !is_mine) distrust(selected.files);
  if (own_tree || there) return {};
  SW_TRY(selected.checkout, sources.prepare({"directory", selected.tree.root.string(), {}, {}, {}}, limit));
  if (untrusted && !is_of_source(selected, selected.tree.root, limit)) selected.checkout_trust = model::Trust::trusted;
  return {};
}

// Jobs that a registry keeps for this project. Such a file is not part of the source, unless it lies there.
Result<void> read_registry_jobs(const cli::Selection& what, const std::filesystem::path& directory,
                                const os::CallLimit& limit, Selected& selected) {
  const definition::ProjectQuery project{what.project, selected.tree.remote_url, false};
  SW_TRY(selected.files, cli::read_registry(what.registry, directory, project));
  if (selected.source_trust == model::Trust::untrusted && is_of_source(selected, directory / what.registry, limit))
    distrust(selected.files);
  return {};
}

Result<void> read_files(const cli::Selection& what, const std::filesystem::path& directory, source::Sources& sources,
                        const os::CallLimit& limit, Selected& selected) {
  if (!what.job_command.empty()) {
    selected.files.push_back(command_definition(what.job_command));
    return {};
  }
  if (!what.registry.empty()) return read_registry_jobs(what, directory, limit, selected);
  if (!what.file.empty()) return read_named_file(what, directory, sources, limit, selected);
  SW_TRY(selected.files, cli::read_definitions({}, directory, selected.source.directory));
  if (selected.files.empty()) {
    return fail(ErrorKind::not_found, "no workflow below .slipway/workflows or .slipway/jobs in " +
                                          selected.source.directory.string() +
                                          "; name a file, or see `slipway --help`");
  }
  for (std::string& told : cli::leave_out_broken(selected.files)) selected.warnings.push_back(std::move(told));
  if (selected.source_trust == model::Trust::untrusted) distrust(selected.files);
  return {};
}

// Presets that are built in, as they are on this event.
std::shared_ptr<const model::Workflow> on_event(const std::shared_ptr<const model::Workflow>& workflow,
                                                const model::Event& event) {
  const bool has_none = std::ranges::none_of(
      workflow->presets, [](const auto& preset) { return definition::is_built_in_preset(preset.first); });
  if (has_none) return workflow;
  auto filled = std::make_shared<model::Workflow>(*workflow);
  definition::fill_presets(*filled, event);
  return filled;
}

// Of all files of one group that start, one workflow.
void join_groups(std::vector<cli::Planned>& all, const model::Event& event) {
  std::map<std::string, std::size_t> at;
  std::vector<cli::Planned> joined;
  for (cli::Planned& planned : all) {
    const std::string& group = planned.workflow->group;
    if (group.empty() || !planned.start.starts) {
      joined.push_back(std::move(planned));
      continue;
    }
    const auto [known, is_new] = at.try_emplace(group, joined.size());
    if (is_new) {
      auto workflow = std::make_shared<model::Workflow>(*planned.workflow);
      workflow->name = group;
      if (const std::size_t repo = group.find("{repo}"); repo != std::string::npos)
        workflow->name.replace(repo, 6, event.repo.substr(event.repo.rfind('/') + 1));
      workflow->is_single_job = false;
      workflow->on.clear();
      joined.push_back({std::move(workflow), std::move(planned.start), std::nullopt, {}});
      continue;
    }
    cli::Planned& first = joined[known->second];
    auto workflow = std::make_shared<model::Workflow>(*first.workflow);
    for (const model::JobDefinition& job : planned.workflow->jobs) workflow->jobs.push_back(job);
    for (const auto& [name, preset] : planned.workflow->presets) workflow->presets.emplace(name, preset);
    first.workflow = std::move(workflow);
    first.start.because.insert(first.start.because.end(), planned.start.because.begin(), planned.start.because.end());
  }
  all = std::move(joined);
}

}  // namespace

const std::string& ref_of(const cli::Selection& what) {
  return what.source_ref.empty() ? what.git_ref : what.source_ref;
}

Result<Selected> select(const cli::Selection& what, const std::optional<EventFile>& file,
                        const std::filesystem::path& directory, source::Sources& sources, const os::CallLimit& limit,
                        const std::string& first_ref) {
  Selected selected;
  SW_TRY(selected.tree, source::read_working_tree(directory, limit));
  selected.is_foreign = is_foreign(what);
  if (!what.base.empty() && !selected.is_foreign) {
    const auto base = source::commit_of(selected.tree, what.base, limit);
    if (!base) return wrap(base.error(), "--base");
  }
  SW_TRY(selected.source_spec, sources.pin(sources.with_kind(source_spec(what, selected.tree)), limit));
  SW_TRY(selected.source, sources.prepare(selected.source_spec, limit));

  SW_TRY(selected.event, make_event(what, file, selected, limit));
  selected.source_trust = model::trust_of(selected.event);
  const std::string& ref = first_ref.empty() ? ref_of(what) : first_ref;
  if (what.event_file.empty() && names_a_proposal(ref)) {
    selected.source_trust = model::Trust::untrusted;
    std::string taken = printable(ref, Colour::strip) +
                        " is taken for a fork's, whose code is not trusted; an event file says otherwise: "
                        R"(--event-file with "pr": {"fork": false})";
    if (!what.event_given) taken += ". The event is a push all the same: --event pull_request says otherwise";
    selected.warnings.push_back(std::move(taken));
  }
  selected.source_spec.trust = selected.source_trust;
  selected.checkout_trust = selected.source_trust;
  SW_CHECK(read_files(what, directory, sources, limit, selected));
  selected.named_file = !what.file.empty() || !what.job_command.empty();
  const bool own_tree = is_own_tree(what, selected);

  const auto changes = [tree = selected.tree, base = what.base, commit = what.commit, foreign = selected.is_foreign,
                        limit] {
    if (foreign) return source::Changes{{}, {}, "the source is another repository"};
    return source::changed_files(tree, base, commit, limit);
  };
  const bool is_git = own_tree ? selected.tree.is_git : !selected.source.git_dir.empty();
  selected.facts = std::make_shared<source::Snapshot>(selected.source.directory, is_git, changes, limit);
  // Only path filters of `on` need the list now; changed() asks for itself.
  if (!selected.event.changed_files && !selected.named_file && asks_for_paths(selected.files)) {
    selected.event.changed_files = selected.facts->changes().files;
  }
  return selected;
}

namespace {

// For people: what was asked for and what that is.
model::TraceEntry where_source_is(const Selected& selected) {
  const std::string& url = selected.source.url;
  return {printable(url.empty() ? source::without_credentials(selected.source_spec.location) : url, Colour::strip) +
              (selected.source.branch.empty() ? "" : " " + printable(selected.source.branch, Colour::strip)),
          selected.source.sha.empty() ? "as it is" : selected.source.sha};
}

}  // namespace

Result<std::vector<cli::Planned>> plan_all(const Selected& selected, const model::RunOptions& options, Time now) {
  std::vector<cli::Planned> all;
  for (const cli::DefinitionFile& file : selected.files) {
    if (!file.workflow) continue;
    cli::Planned planned{on_event(file.workflow, selected.event), {}, std::nullopt, {}};
    if (selected.named_file) {
      planned.start = {true, {{"named on the command line", "starts"}}};
    } else if (!file.workflow->group.empty() && file.workflow->on.empty()) {
      planned.start = {false, {{"triggers", "are not there: only a workflow or a trigger starts it"}}};
    } else {
      planned.start = model::decide(*file.workflow, selected.event);
    }
    all.push_back(std::move(planned));
  }
  if (!selected.named_file) join_groups(all, selected.event);
  const auto starting = static_cast<std::size_t>(
      std::ranges::count_if(all, [](const cli::Planned& planned) { return planned.start.starts; }));
  Narrowing narrowing(selected.event, options);
  if (starting > 1) narrowing.apply_to(all);
  for (cli::Planned& planned : all) {
    if (planned.start.starts) {
      model::PlanRequest request;
      request.id = RunId(new_id());
      request.workflow = planned.workflow;
      request.event = narrowing.event_for(*planned.workflow);
      request.options = narrowing.options_for(*planned.workflow);
      // By the event as it is, wherever it was read from.
      request.options.may_write_trusted_cache =
          selected.event.kind != model::EventKind::pull_request && selected.source_trust == model::Trust::trusted;
      request.options.source_trust = selected.source_trust;
      if (selected.is_foreign || selected.source_spec.kind == "git") request.options.commit = selected.source.sha;
      request.options.checkout_trust = selected.checkout_trust;
      request.facts = selected.facts;
      request.now = now;
      auto run = model::plan(std::move(request));
      if (!run) return fail(ErrorKind::invalid, std::move(run).error().what);  // of any kind: it is the author's
      planned.run = std::move(*run);
      if (selected.is_foreign) {
        planned.run->decisions.push_back({"", "source", {where_source_is(selected)}});
      }
      SW_TRY(planned.run->event.json, with_inputs(planned.run->event.json, planned.run->inputs));
    }
  }
  return all;
}

}  // namespace slipway::program
