#include "main/local_executor.h"

#include "base/wall_clock.h"

#include <exception>

namespace slipway::program {

namespace {

// The dispatcher never has more attempts alive than slots; this only bounds a bug.
constexpr std::size_t kMostOrders = 4096;

wire::Cancel::Why why_of(model::StopWhy why) {
  switch (why) {
    case model::StopWhy::by_user: return wire::Cancel::Why::by_user;
    case model::StopWhy::timeout: return wire::Cancel::Why::timeout;
    case model::StopWhy::fail_fast: return wire::Cancel::Why::fail_fast;
    case model::StopWhy::superseded: return wire::Cancel::Why::superseded;
  }
  return wire::Cancel::Why::by_user;
}

model::AttemptReport without_start(const model::JobSpec& spec, model::Outcome outcome, std::string reason) {
  model::AttemptReport report;
  report.attempt = spec.attempt;
  report.outcome = outcome;
  report.reason = std::move(reason);
  report.started = wall_now();
  report.finished = report.started;
  return report;
}

model::AttemptReport lost(const model::JobSpec& spec, std::string reason) {
  return without_start(spec, model::Outcome::infra_failed, std::move(reason));
}

}  // namespace

LocalExecutor::LocalExecutor(Parts parts, std::uint32_t slots) : parts_(std::move(parts)), orders_(kMostOrders) {
  slots_.reserve(slots);
  try {
    for (std::uint32_t i = 0; i < slots; ++i) slots_.emplace_back([this] { serve_slot(); });
  } catch (...) {  // no more threads: those that were made must end, since slots_ joins them
    orders_.close();
    throw;  // tidy: allow throw (passes on what std::thread threw, which ends the process)
  }
}

LocalExecutor::~LocalExecutor() {
  orders_.close();
  slots_.clear();
}

void LocalExecutor::start(model::JobSpec spec, engine::Reports& reports) {
  auto made = worker::AttemptControl::make(parts_.breaks);
  std::shared_ptr<worker::AttemptControl> control;
  if (made) {  // without one, the slot reports the attempt as lost
    control = std::make_shared<worker::AttemptControl>(*std::move(made));
    live_.with([&](auto& live) { live.emplace(spec.attempt, Live{spec.run, spec.job, control}); });
  }
  orders_.push({std::move(spec), &reports, std::move(control)});
}

void LocalExecutor::stop(const AttemptId& attempt, model::StopWhy why, model::Promptness promptness) {
  const std::shared_ptr<worker::AttemptControl> control =
      live_.with([&](auto& live) -> std::shared_ptr<worker::AttemptControl> {
        const auto found = live.find(attempt);
        return found == live.end() ? nullptr : found->second.control;
      });
  if (control) control->cancel({why_of(why), promptness == model::Promptness::at_once});
}

std::vector<wire::LiveJob> LocalExecutor::live() const {
  return live_.with([](const auto& live) {
    std::vector<wire::LiveJob> jobs;
    for (const auto& [attempt, one] : live) {
      wire::LiveJob job = one.control->state();
      job.run = one.run.value;
      job.job = one.job;
      jobs.push_back(std::move(job));
    }
    return jobs;
  });
}

Result<void> LocalExecutor::visit(worker::AttemptControl::Visit visit) {
  const auto control = live_.with([&](const auto& live) -> std::shared_ptr<worker::AttemptControl> {
    for (const auto& [attempt, one] : live) {
      if (one.run.value == visit.request.run && one.job == visit.request.job) return one.control;
    }
    return nullptr;
  });
  if (!control) return fail(ErrorKind::not_found, "job " + visit.request.job + " does not run now");
  return control->visit(std::move(visit));
}

void LocalExecutor::serve_slot() {
  for (;;) {
    std::vector<Order> taken = orders_.pop(1, {});
    if (taken.empty()) return;
    carry_out(std::move(taken.front()));
  }
}

model::AttemptReport LocalExecutor::attempt_of(const Order& order) {
  if (const auto allowed = parts_.allow(order.spec); !allowed) {
    return without_start(order.spec, model::Outcome::rejected, allowed.error().what);
  }
  const std::unique_ptr<worker::AttemptHost> host = parts_.make_host(*order.reports);
  worker::AttemptDriver driver(
      {parts_.sandboxes, parts_.artifacts, parts_.caches, *host, parts_.log, parts_.runs_dir, pins_});
  return driver.drive(order.spec, *order.control);
}

void LocalExecutor::carry_out(Order order) {
  const AttemptId attempt = order.spec.attempt;
  model::AttemptReport report;
  if (!order.control) {
    report = lost(order.spec, "no descriptors left to control the attempt");
  } else {
    try {
      report = attempt_of(order);
    } catch (const std::exception& problem) {  // a thread's top frame: this attempt ends, the process goes on
      report = lost(order.spec, problem.what());
    }
  }
  live_.with([&](auto& live) { live.erase(attempt); });
  order.reports->ended(std::move(report));
}

}  // namespace slipway::program
