#include "main/inspect.h"

#include <unistd.h>

#include <cstdio>

#include "base/text.h"
#include "base/wall_clock.h"
#include "cli/convert.h"
#include "cli/exit_codes.h"
#include "cli/view.h"
#include "main/checks.h"
#include "main/console.h"
#include "main/images.h"
#include "main/job_code.h"
#include "main/selection.h"
#include "main/source_kit.h"
#include "os/files.h"

namespace slipway::program {

namespace {

constexpr auto kLookUpLimit = std::chrono::minutes(10);  // a first fetch of a large repository included

cli::Style style_of(const Surroundings& around) {
  return {around.common.json,
          cli::choose_colour(around.configuration.settings().colour, STDOUT_FILENO, around.environment)};
}

// Looks up, reads and plans; then `show` prints. Problems of the definitions end it before.
template <class Show>
int with_plan(const Surroundings& around, const cli::Selection& what, const SignalWatch& signals, Show&& show) {
  const cli::Settings& settings = around.configuration.settings();
  SourceKit kit(settings, around.common.json ? SourceKit::Progress::silent : SourceKit::Progress::told);
  const auto selected =
      select(what, around.event, around.directory, kit.sources(), os::within(kLookUpLimit, signals.graceful()));
  if (!selected) return give_up(selected.error(), around.common, signals);
  if (!report_problems(*selected, around.common, settings)) return cli::kExitUsage;
  const Time now = wall_now();
  auto planned = plan_all(*selected, run_options(what, settings), now);
  if (!planned) return give_up(planned.error(), around.common, signals);
  if (const auto allowed = judge_trust(*planned); !allowed) return give_up(allowed.error(), around.common, signals);
  JobCode code(kit.sources(), settings.state_dir);
  if (const auto pinned = code.pin(*planned, os::within(kLookUpLimit, signals.graceful())); !pinned)
    return give_up(pinned.error(), around.common, signals);
  note_known_images(*planned, settings);
  return show(*planned);
}

}  // namespace

int lint(const Surroundings& around, const cli::LintOptions& options) {
  const auto tree = source::read_working_tree(around.directory, os::within(kLookUpLimit));
  if (!tree) return complain(tree.error());
  const auto answer = cli::lint(options, around.directory, tree->root, build_support(around.configuration.settings()),
                                style_of(around));
  if (!answer) return complain(answer.error());
  const int printed = print(answer->text);
  return printed == cli::kExitSucceeded ? answer->exit_code : printed;
}

int convert(const Surroundings& around, const cli::ConvertOptions& options) {
  const auto tree = source::read_working_tree(around.directory, os::within(kLookUpLimit));
  if (!tree) return complain(tree.error());
  const auto answer = cli::convert(options, around.directory, tree->root, style_of(around));
  if (!answer) return complain(answer.error());
  std::fputs(answer->told.c_str(), stderr);
  const int printed = print(answer->text);
  return printed == cli::kExitSucceeded ? answer->exit_code : printed;
}

int print_plan(const std::vector<cli::Planned>& planned, const cli::PlanOptions& options, const Surroundings& around) {
  return print(cli::show_plan(planned, options, style_of(around)));
}

int plan(const Surroundings& around, const cli::PlanOptions& options, const SignalWatch& signals) {
  return with_plan(around, options.what, signals,
                   [&](const std::vector<cli::Planned>& planned) { return print_plan(planned, options, around); });
}

int explain(const Surroundings& around, const cli::ExplainOptions& options, const SignalWatch& signals) {
  return with_plan(around, options.what, signals, [&](const std::vector<cli::Planned>& planned) {
    return print(cli::explain_planned(planned, options.job, style_of(around)));
  });
}

int graph(const Surroundings& around, const cli::GraphOptions& options, const SignalWatch& signals) {
  return with_plan(around, options.what, signals, [&](const std::vector<cli::Planned>& planned) {
    return print(cli::show_graph(planned, options.format));
  });
}

}  // namespace slipway::program
