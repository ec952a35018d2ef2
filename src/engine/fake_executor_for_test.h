#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "engine/executor.h"
#include "os/guarded.h"
#include "os/queue.h"

namespace slipway::engine {

/// Carries attempts out by answering at once, on a thread of its own. `answer` says how an attempt ends; no value: it
/// runs until it is stopped.
class FakeExecutor final : public Executor {
 public:
  using Answer = std::function<std::optional<model::AttemptReport>(const model::JobSpec& spec)>;
  explicit FakeExecutor(Answer answer) : answer_(std::move(answer)), thread_([this] { serve(); }) {}
  ~FakeExecutor() override { work_.close(); }

  void start(model::JobSpec spec, Reports& reports) override { work_.push(Start{std::move(spec), &reports}); }
  void stop(const AttemptId& attempt, model::StopWhy why, model::Promptness promptness) override {
    work_.push(Stop{attempt, why, promptness});
  }

  /// Jobs in the order of their starts.
  std::vector<std::string> started() {
    return started_.with([](const auto& names) { return names; });
  }
  std::size_t most_alive() {
    return most_alive_.with([](const auto& most) { return most; });
  }

 private:
  struct Start {
    model::JobSpec spec;
    Reports* reports;
  };
  struct Stop {
    AttemptId attempt;
    model::StopWhy why;
    model::Promptness promptness;
  };

  void serve() {
    std::map<AttemptId, Reports*> hanging;
    for (;;) {
      auto items = work_.pop(64, {});
      if (items.empty()) return;
      for (auto& item : items) {
        if (const auto* begin = std::get_if<Start>(&item)) {
          began(*begin, hanging);
        } else if (const auto& stop = std::get<Stop>(item); hanging.contains(stop.attempt)) {
          hanging.at(stop.attempt)->ended({.attempt = stop.attempt, .outcome = model::Outcome::cancelled});
          hanging.erase(stop.attempt);
        }
      }
    }
  }

  void began(const Start& begin, std::map<AttemptId, Reports*>& hanging) {
    started_.with([&](auto& names) { names.push_back(begin.spec.job); });
    begin.reports->began({begin.spec.attempt, "runs/" + begin.spec.attempt.value + ".journal"});
    begin.reports->advanced({begin.spec.attempt, 10});
    auto report = answer_(begin.spec);
    if (report) {
      report->attempt = begin.spec.attempt;
      begin.reports->ended(std::move(*report));
    } else {
      hanging.emplace(begin.spec.attempt, begin.reports);
    }
    most_alive_.with([&](auto& most) { most = std::max(most, hanging.size()); });
  }

  Answer answer_;
  os::Guarded<std::vector<std::string>> started_;
  os::Guarded<std::size_t> most_alive_;
  os::BoundedQueue<std::variant<Start, Stop>> work_{100'000};
  std::jthread thread_;
};

}  // namespace slipway::engine
