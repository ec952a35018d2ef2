#include "cli/view.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include <fmt/format.h>

#include "base/scope_exit.h"
#include "base/wall_clock.h"
#include "cli/feed.h"
#include "cli/json_view.h"
#include "cli/live_view.h"
#include "cli/plain_view.h"

namespace slipway::cli {

namespace {

constexpr std::size_t kMaxWaiting = 65'536;
constexpr std::size_t kBatch = 1'024;

struct Saying {
  std::string text;
};
using Item = std::variant<model::Notice, Saying, Remark>;

/// A bounded queue in which progress of one attempt stands once: a slow reader of our output is far behind in
/// bytes, never in notices.
class Inbox {
 public:
  void push(const model::Notice& notice) {
    if (const auto* progress = std::get_if<model::AttemptProgress>(&notice)) {
      const std::scoped_lock lock(mutex_);
      progress_.insert_or_assign(progress->attempt, *progress);
      changed_.notify_all();
      return;
    }
    push_item(notice);
  }
  /// Does not wait: it is dropped when the inbox is full.
  void offer(Item item) {
    const std::scoped_lock lock(mutex_);
    if (closed_ || items_.size() >= kMaxWaiting) return;
    items_.push_back(std::move(item));
    changed_.notify_all();
  }
  void push_item(Item item) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return closed_ || items_.size() < kMaxWaiting; });
    if (closed_) return;
    items_.push_back(std::move(item));
    changed_.notify_all();
  }
  void close() {
    const std::scoped_lock lock(mutex_);
    closed_ = true;
    changed_.notify_all();
  }

  struct Taken {
    std::vector<Item> items;
    std::vector<model::AttemptProgress> progress;
    bool is_last = false;  // closed, and nothing is left behind these
  };
  Taken take(std::optional<Duration> most_wait) {
    std::unique_lock lock(mutex_);
    const auto ready = [&] { return closed_ || !items_.empty() || !progress_.empty(); };
    if (most_wait)
      changed_.wait_for(lock, *most_wait, ready);
    else
      changed_.wait(lock, ready);
    Taken taken;
    while (!items_.empty() && taken.items.size() < kBatch) {
      taken.items.push_back(std::move(items_.front()));
      items_.pop_front();
    }
    // Progress must not overtake the start of its attempt.
    if (items_.empty()) {
      for (auto& [id, progress] : progress_) taken.progress.push_back(std::move(progress));
      progress_.clear();
    }
    taken.is_last = closed_ && items_.empty();
    changed_.notify_all();
    return taken;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Item> items_;
  std::map<AttemptId, model::AttemptProgress> progress_;
  bool closed_ = false;
};

TerminalSize size_of(int fd) {
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return {};
  return {size.ws_col, size.ws_row};
}

std::unique_ptr<Audience> make_audience(const ViewOptions& options, Sink& sink) {
  switch (options.kind) {
    case ViewKind::json: return std::make_unique<JsonView>(sink, options.program_exit_code);
    case ViewKind::live:
      return std::make_unique<LiveView>(
          sink, options.colour, options.program, [fd = options.fd] { return size_of(fd); }, options.follow_command);
    case ViewKind::plain:
      return std::make_unique<PlainView>(sink, options.colour, options.program, PlainView::Lines::all,
                                         options.follow_command);
    case ViewKind::quiet: break;
  }
  return std::make_unique<PlainView>(sink, options.colour, options.program, PlainView::Lines::summary_of_failures);
}

class ThreadedView final : public View {
 public:
  explicit ThreadedView(ViewOptions options)
      : options_(std::move(options)),
        sink_(options_.fd, options_.on_reader_gone),
        audience_(make_audience(options_, sink_)),
        feed_(*audience_, options_.journal_root,
              options_.several_runs ? Feed::Names::with_workflow : Feed::Names::of_jobs),
        thread_([this] { run(); }) {}
  ~ThreadedView() override { (void)close(); }  // whoever wanted to know of errors has called it before

  void on_notice(const model::Notice& notice) override { inbox_.push(notice); }
  void say(std::string text) override { inbox_.offer(Saying{std::move(text)}); }
  void tell(Remark remark) override { inbox_.push_item(std::move(remark)); }
  Result<void> close() override {
    inbox_.close();
    if (thread_.joinable()) thread_.join();
    SW_CHECK(failure_);
    return sink_.status();
  }

 private:
  void run() {
    try {
      work();
    } catch (const std::exception& problem) {  // a thread's top frame: the run goes on, unseen
      inbox_.close();
      failure_ = fail(ErrorKind::internal, fmt::format("showing the run: {}", problem.what()));
    }
  }
  void work() {
    // Only a terminal needs to be told that time passes.
    const auto idle = options_.kind == ViewKind::live ? std::optional(LiveView::kRedraw) : std::nullopt;
    bool more = false;
    for (;;) {
      const Inbox::Taken taken = inbox_.take(more ? std::optional(Duration(0)) : idle);
      for (const Item& item : taken.items) {
        std::visit(Overloaded{[&](const model::Notice& notice) { feed_.take(notice); },
                              [&](const Saying& saying) { audience_->said(saying.text); },
                              [&](const Remark& remark) {
                                if (remark.code == kHeldRemark) feed_.catch_up(remark.run, remark.job, remark.attempt);
                                audience_->told(remark);
                              }},
                   item);
      }
      for (const model::AttemptProgress& progress : taken.progress) feed_.take(progress);
      more = feed_.read_some();
      if (taken.is_last && !more) break;
      if (!more || options_.kind == ViewKind::live) audience_->pause(wall_now());
    }
    audience_->end();
  }

  ViewOptions options_;
  Sink sink_;
  std::unique_ptr<Audience> audience_;
  Feed feed_;
  Inbox inbox_;
  Result<void> failure_;  // of the thread; read when it has ended
  std::jthread thread_;
};

}  // namespace

ViewKind choose_view(const CommonOptions& options, int fd, const std::string& term) {
  if (options.json) return ViewKind::json;
  if (options.verbosity == Verbosity::quiet) return ViewKind::quiet;
  if (options.verbosity == Verbosity::verbose) return ViewKind::plain;
  return ::isatty(fd) == 1 && !term.empty() && term != "dumb" ? ViewKind::live : ViewKind::plain;
}

bool choose_colour(ColourChoice choice, int fd, const std::map<std::string, std::string>& environment) {
  if (choice != ColourChoice::automatic) return choice == ColourChoice::always;
  const auto is_set = [&](const char* name) {
    const auto found = environment.find(name);
    return found != environment.end() && !found->second.empty() && found->second != "0";
  };
  const auto no_colour = environment.find("NO_COLOR");
  if (no_colour != environment.end() && !no_colour->second.empty()) return false;
  if (is_set("CLICOLOR_FORCE")) return true;
  const auto term = environment.find("TERM");
  return ::isatty(fd) == 1 && term != environment.end() && term->second != "dumb";
}

Result<std::unique_ptr<View>> make_view(ViewOptions options) {
  if (options.fd < 0) return fail(ErrorKind::invalid, "a view needs a descriptor to write to");
  return std::make_unique<ThreadedView>(std::move(options));
}

}  // namespace slipway::cli
