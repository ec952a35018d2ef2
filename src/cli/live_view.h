#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "cli/audience.h"
#include "cli/sink.h"
#include "cli/summary.h"
#include "cli/terminal_text.h"

namespace slipway::cli {

struct TerminalSize {
  std::size_t columns = 80;
  std::size_t rows = 24;
};

/// The last lines of a step's output, each cut to what could be shown. No allocation once it is full.
class LineRing {
 public:
  static constexpr std::size_t kLines = 100;
  static constexpr std::size_t kLongest = 1000;

  void add(std::string_view line);
  /// The last `most`, oldest first.
  std::vector<std::string_view> last(std::size_t most) const;
  std::uint64_t total() const { return total_; }
  void clear();

 private:
  std::vector<std::string> lines_;
  std::uint64_t total_ = 0;
};

/// A terminal: an area at the bottom that is drawn anew at most ten times a second, with a line a job and the tail of
/// the log that moved last; above it, for good, the folded log of each job that failed. One thread.
class LiveView final : public Audience {
 public:
  static constexpr Duration kRedraw = std::chrono::milliseconds(100);

  /// `size` is asked before each drawing, so that a resized window is no special case.
  /// `follow`: as Summary's.
  LiveView(Sink& sink, bool colour, std::string program, std::function<TerminalSize()> size, std::string follow = {});
  /// Shows the cursor again, whatever happened.
  ~LiveView() override;

  void run_started(const model::RunStarted& started) override;
  void jobs_added(const model::JobsAdded& added) override;
  void attempt_started(const AttemptView& attempt, Time at) override;
  void step_started(const AttemptView& attempt, std::uint16_t step, const wire::payload::StepStarted& started,
                    Time at) override;
  void output(const AttemptView& attempt, const OutputLine& line) override;
  void grouped(const AttemptView& attempt, std::uint16_t step, const wire::payload::Group& group, Time at) override;
  void output_lost(const AttemptView& attempt, std::uint16_t step, std::uint64_t bytes, Time at) override;
  void step_finished(const AttemptView& attempt, std::uint16_t step, const wire::payload::StepFinished& finished,
                     Time at) override;
  void annotated(const AttemptView& attempt, std::uint16_t step, const wire::payload::Annotation& annotation,
                 Time at) override;
  void stored(const AttemptView& attempt, const wire::payload::Artifact& artifact, Time at) override;
  void noticed(const AttemptView& attempt, const wire::payload::Notice& notice, Time at) override;
  void journal_damaged(const AttemptView& attempt, const std::string& what) override;
  void attempt_finished(const AttemptView& attempt, const model::AttemptFinished& finished) override;
  void job_finished(const model::JobFinished& finished, const std::string& label) override;
  void triggered(const model::Triggered& triggered) override;
  void run_finished(const model::RunFinished& finished) override;
  void said(std::string_view text) override;
  void told(const Remark& remark) override;
  void pause(Time now) override;
  void end() override;

 private:
  using JobKey = std::pair<RunId, std::string>;
  struct Row {
    std::string label;
    Mark mark = Mark::pending;
    std::string doing;  // the running step, or why it waits or ended
    Time started{}, finished{};
  };
  struct StepShown {
    std::string name;
    LineRing ring;
    std::string ending;  // `ok in 1.2 s`; empty while it runs
    Mark mark = Mark::running;
    std::uint64_t lost = 0;
  };
  struct Active {
    std::size_t row = 0;
    std::string label;
    std::map<std::uint16_t, StepShown> steps;
    std::uint16_t last_step = 0;
  };

  Row& row_of(const RunId& run, const std::string& job);
  void print_failed_log(const RunId& run, const std::string& job, Active& active);
  std::vector<std::string> frame(Time now, const TerminalSize& size) const;
  std::vector<std::size_t> rows_to_show(std::size_t most) const;
  std::string row_text(const Row& row, std::size_t label_width, Time now) const;
  std::string counts_text() const;
  void append_tail(std::vector<std::string>& lines, std::size_t most) const;
  void draw(Time now);
  void erase(std::string& out, const TerminalSize& size);
  void print(std::string_view line);  // above the area, for good

  Sink& sink_;
  bool colour_;
  std::function<TerminalSize()> size_;
  Summary summary_;
  std::string program_;
  std::vector<Row> rows_;
  std::map<JobKey, std::size_t> row_by_job_;
  std::map<JobKey, Active> active_;
  Active* shown_ = nullptr;  // whose tail is shown
  Time shown_since_{};
  std::string title_;
  Time begun_{};
  std::string permanent_;           // to be printed above the area
  std::vector<std::size_t> drawn_;  // widths of the area's lines
  Time drawn_at_{};
  bool cursor_hidden_ = false;
};

}  // namespace slipway::cli
