// Model, dispatcher and store on an executor that answers at once: what a job costs beside its sandbox.
// engine_bench [JOBS] [LEVELS] [SLOTS]: LEVELS of JOBS/LEVELS jobs, each job depending on one of the level before.
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include <fmt/format.h>

#include "engine/dispatcher.h"
#include "engine/fake_executor_for_test.h"
#include "model/plan.h"
#include "store/sqlite/sqlite_store.h"

namespace slipway {
namespace {

struct Silent final : Log {
  void write(LogLevel, std::string_view, std::initializer_list<LogField>) noexcept override {}
};
struct Deaf final : model::Listener {
  void on_notice(const model::Notice&) override {}
};

std::shared_ptr<const model::Workflow> workflow(int jobs, int levels) {
  auto made = std::make_shared<model::Workflow>();
  made->name = "bench";
  const int width = std::max(1, jobs / levels);
  for (int level = 0; level < levels; ++level) {
    for (int i = 0; i < width; ++i) {
      model::JobDefinition& job = made->jobs.emplace_back();
      job.name = fmt::format("l{}j{}", level, i);
      if (level > 0) job.depends_on = {fmt::format("l{}j{}", level - 1, i)};
      model::StepDefinition& step = job.steps.emplace_back();
      step.name = "main";
      step.action = model::Script{"true"};
    }
  }
  return made;
}

double cpu_ms() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto ms = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_usec) / 1e3;
  };
  return ms(usage.ru_utime) + ms(usage.ru_stime);
}

int measure(int jobs, int levels, std::uint32_t slots) {
  std::string dir = (std::filesystem::temp_directory_path() / "slipway-engine-bench-XXXXXX").string();
  if (::mkdtemp(dir.data()) == nullptr) return 1;
  int failed = 1;
  {
    auto store = store::open_sqlite({std::filesystem::path(dir) / "store.db"});
    auto run = model::plan({.id = RunId(new_id()), .workflow = workflow(jobs, levels)});
    if (!store || !run) return 1;
    Silent log;
    Deaf listener;
    engine::JsonTriggerReader triggers({});
    engine::FakeExecutor executor(
        [](const model::JobSpec&) { return model::AttemptReport{.outcome = model::Outcome::succeeded}; });
    engine::Dispatcher dispatcher(**store, executor, triggers, listener, log, {.slots = slots, .owner = "bench"});
    std::vector<engine::Submission> one;
    one.push_back({.run = std::move(*run), .project = "/bench"});
    const double cpu = cpu_ms();
    const auto start = std::chrono::steady_clock::now();
    const auto outcomes = dispatcher.run_to_end(std::move(one), {});
    const double wall = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
    failed = outcomes ? outcomes->front().exit_code : 1;
    std::printf("%6d jobs, %d levels, %3u slots: %8.1f ms, %.3f ms of wall and %.3f ms of CPU a job\n", jobs, levels,
                slots, wall, wall / jobs, (cpu_ms() - cpu) / jobs);
  }
  std::filesystem::remove_all(dir);
  return failed;
}

}  // namespace
}  // namespace slipway

int main(int argc, char** argv) {
  const auto number = [&](int index, int otherwise) {
    return argc > index ? std::max(1, std::atoi(argv[index])) : otherwise;
  };
  if (argc > 1) return slipway::measure(number(1, 1000), number(2, 4), static_cast<std::uint32_t>(number(3, 16)));
  int failed = 0;
  for (const auto& [jobs, levels] : {std::pair{500, 1}, {1'000, 4}, {10'000, 4}})
    failed |= slipway::measure(jobs, levels, 16);
  return failed;
}
