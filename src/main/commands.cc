#include "main/commands.h"

#include <unistd.h>

#include <cstdio>

#include "base/scope_exit.h"
#include "base/text.h"
#include "base/wall_clock.h"
#include "cli/completion.h"
#include "cli/definitions.h"
#include "cli/doctor.h"
#include "cli/exit_codes.h"
#include "cli/logs.h"
#include "cli/prompt.h"
#include "cli/report.h"
#include "cli/runs.h"
#include "cli/tests.h"
#include "cli/view.h"
#include "definition/schema.h"
#include "main/attach.h"
#include "main/console.h"
#include "main/doctor.h"
#include "main/history.h"
#include "main/images.h"
#include "main/inspect.h"
#include "main/rerun.h"
#include "objects/file/file_objects.h"
#include "os/files.h"
#include "source/working_tree.h"
#include "store/sqlite/sqlite_store.h"

namespace slipway::program {

namespace {

constexpr auto kGitLimit = std::chrono::seconds(10);

// The history of runs, opened for one command.
struct OpenHistory {
  std::unique_ptr<store::Store> store;
  std::unique_ptr<objects::FileObjects> objects;
  std::unique_ptr<worker::Artifacts> artifacts;
  std::unique_ptr<LocalHistory> history;
};

Result<OpenHistory> open_history(const Surroundings& around) {
  const std::filesystem::path& state = around.configuration.settings().state_dir;
  SW_CHECK(os::make_directories(state, 0700));
  OpenHistory open;
  SW_TRY(open.store, store::open_sqlite({.file = state / "store.db"}));
  SW_TRY(open.objects, objects::FileObjects::open_at(state / "objects", {}));
  open.artifacts = std::make_unique<worker::Artifacts>(*open.objects, state / "runs");
  SW_TRY(const source::WorkingTree tree, source::read_working_tree(around.directory, os::within(kGitLimit)));
  open.history =
      std::make_unique<LocalHistory>(*open.store, *open.artifacts, LocalHistory::Places{tree.root.string(), state});
  return open;
}

cli::RunsStyle runs_style(const Surroundings& around) {
  return {around.common.json,
          cli::choose_colour(around.configuration.settings().colour, STDOUT_FILENO, around.environment), wall_now()};
}

template <class Ask>
int with_history(const Surroundings& around, Ask&& ask) {
  auto open = open_history(around);
  if (!open) return complain(open.error());
  return print(ask(*open->history, runs_style(around)));
}

int show_logs(const Surroundings& around, const cli::LogsOptions& options, const SignalWatch& signals) {
  auto open = open_history(around);
  if (!open) return complain(open.error());
  cli::Sink sink(STDOUT_FILENO);
  const cli::RunsStyle style = runs_style(around);
  const auto shown = cli::show_logs(options, *open->history, sink, {style.json, style.colour},
                                    {signals.graceful(), os::Deadline::max()});
  if (!shown && shown.error().kind != ErrorKind::unavailable) return complain(shown.error());
  return cli::kExitSucceeded;
}

int remove_runs(const Surroundings& around, const cli::RunsRemoveOptions& options, const SignalWatch& signals) {
  cli::Prompt prompt = cli::Prompt::open(around.common.no_input ? cli::Prompt::Mode::never : cli::Prompt::Mode::ask,
                                         {signals.graceful(), os::Deadline::max()});
  return with_history(around, [&](cli::RunHistory& history, const cli::RunsStyle& style) {
    return cli::remove_runs(options, history, prompt, style);
  });
}

int examine(const Surroundings& around) {
  const std::vector<cli::Check> checks = examine_machine(around.configuration.settings());
  const cli::RunsStyle style = runs_style(around);
  print(style.json ? cli::doctor_json(checks) : cli::doctor_text(checks, style.colour));
  return cli::worst_of(checks) == cli::Health::broken ? cli::kExitFailed : cli::kExitSucceeded;
}

int complete(const Surroundings& around, const cli::CompletionOptions& options) {
  if (options.words.empty()) return print(cli::completion_script(options.shell));
  if (options.words == "codes") return print(cli::help_words());
  if (options.words == "images") return complete_images(around);
  if (options.words == "live") return print(live_words(around));
  if (options.words == "jobs" || options.words == "steps" || options.words == "breaks") {
    const auto tree = source::read_working_tree(around.directory, os::within(kGitLimit));
    if (!tree) return complain(tree.error());
    const auto what = options.words == "steps" ? cli::Completes::step : cli::Completes::breakpoint;
    return print(options.words == "jobs" ? cli::job_words(options.file, around.directory, tree->root)
                                         : cli::step_words(what, options.file, around.directory, tree->root));
  }
  return with_history(around, [](cli::RunHistory& history, const cli::RunsStyle&) { return cli::run_words(history); });
}

// `--event-file` of a command that has one. Read once: it may be a pipe.
Result<std::optional<EventFile>> event_of(const cli::Command& command) {
  const std::string path =
      std::visit(Overloaded{[](const cli::RunOptions& options) { return options.what.event_file; },
                            [](const cli::PlanOptions& options) { return options.what.event_file; },
                            [](const cli::ExplainOptions& options) { return options.what.event_file; },
                            [](const cli::GraphOptions& options) { return options.what.event_file; },
                            [](const auto&) { return std::string(); }},
                 command);
  if (path.empty()) return std::nullopt;
  SW_TRY(EventFile file, EventFile::read(path));
  return std::optional(std::move(file));
}

int dispatch(const Surroundings& around, const cli::Command& command, SignalWatch& signals) {
  return std::visit(
      Overloaded{
          [&](const cli::ShowText& text) { return print(text.text); },
          [&](const cli::RunOptions& options) { return run_locally(around, options, signals); },
          [&](const cli::LintOptions& options) { return lint(around, options); },
          [&](const cli::ConvertOptions& options) { return convert(around, options); },
          [&](const cli::PlanOptions& options) { return plan(around, options, signals); },
          [&](const cli::ExplainOptions& options) {
            if (options.run.empty()) return explain(around, options, signals);
            return with_history(around, [&](cli::RunHistory& history, const cli::RunsStyle& style) {
              return cli::explain_stored(options, history, style);
            });
          },
          [&](const cli::GraphOptions& options) { return graph(around, options, signals); },
          [&](const cli::SchemaOptions&) { return print(definition::schema()); },
          [&](const cli::CompletionOptions& options) { return complete(around, options); },
          [&](const cli::DoctorOptions&) { return examine(around); },
          [&](const cli::HelpCodeOptions& options) { return print(cli::help_code(options.code)); },
          [&](const cli::RunsListOptions& options) {
            return with_history(around, [&](cli::RunHistory& history, const cli::RunsStyle& style) {
              return cli::list_runs(options, history, style);
            });
          },
          [&](const cli::RunsViewOptions& options) {
            return with_history(around, [&](cli::RunHistory& history, const cli::RunsStyle& style) {
              return cli::view_run(options, history, style);
            });
          },
          [&](const cli::RunsRemoveOptions& options) { return remove_runs(around, options, signals); },
          [&](const cli::RunsArtifactsOptions& options) {
            return with_history(around, [&](cli::RunHistory& history, const cli::RunsStyle& style) {
              return cli::run_artifacts(options, history, around.directory, style);
            });
          },
          [&](const cli::RunsTestsOptions& options) {
            return with_history(around, [&](cli::RunHistory& history, const cli::RunsStyle& style) {
              return cli::show_tests(options, history, style);
            });
          },
          [&](const cli::RunsReportOptions& options) {
            return with_history(around, [&](cli::RunHistory& history, const cli::RunsStyle& style) {
              return cli::write_report(options, history, around.directory, style,
                                       {signals.graceful(), os::Deadline::max()});
            });
          },
          [&](const cli::ImagesListOptions&) { return list_images(around); },
          [&](const cli::ImagesRemoveOptions& options) { return remove_images(around, options); },
          [&](const cli::ImagesPruneOptions& options) { return prune_images(around, options); },
          [&](const cli::LogsOptions& options) { return show_logs(around, options, signals); },
          [&](const cli::AttachOptions& options) { return attach(around, options, signals); },
          [&](const cli::ResumeOptions& options) { return resume(around, options); },
          [&](const cli::RunsRerunOptions& options) { return rerun(around, options, signals); },
          [&](const cli::RunsShellOptions& options) { return shell(around, options, signals); },
          [&](const cli::PrintConfigOptions&) {
            return print(around.common.json ? around.configuration.to_json() : around.configuration.to_text());
          },
      },
      command);
}

}  // namespace

int carry_out(const cli::Invocation& invocation, const std::map<std::string, std::string>& environment,
              SignalWatch& signals) {
  std::error_code gone;
  std::filesystem::path directory = std::filesystem::current_path(gone);
  const cli::CommonOptions& common = invocation.common;
  if (gone) return give_up({ErrorKind::not_found, "the current directory is gone"}, common, signals);
  directory = (directory / common.directory).lexically_normal();
  const auto tree = source::read_working_tree(directory, os::within(kGitLimit));
  if (!tree) return give_up(tree.error(), common, signals);
  const auto event = event_of(invocation.command);
  if (!event) return give_up(event.error(), common, signals);
  cli::Configuration::Sources sources = cli::standard_sources(environment, tree->root, common.settings);
  sources.distrusts_project = *event && (*event)->trust() == model::Trust::untrusted;
  const auto configuration = cli::Configuration::load(sources);
  if (!configuration) {
    const bool denied = configuration.error().kind == ErrorKind::denied;
    return give_up({denied ? ErrorKind::denied : ErrorKind::invalid, configuration.error().what}, common, signals);
  }
  if (!configuration->left_out().empty()) {
    std::fputs("slipway: .slipway/config.yaml is not read: the event is of a fork's pull request\n", stderr);
  }
  const Surroundings around{environment, directory, common, *configuration, *event};
  if (common.print_config) return dispatch(around, cli::PrintConfigOptions{}, signals);
  return dispatch(around, invocation.command, signals);
}

}  // namespace slipway::program
