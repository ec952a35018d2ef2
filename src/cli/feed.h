#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "cli/audience.h"
#include "cli/line_splitter.h"
#include "journal/reader.h"

namespace slipway::cli {

/// Turns notices, and the journals that they name, into what an Audience hears. One thread.
class Feed {
 public:
  enum class Names { of_jobs, with_workflow };
  /// Relative journal paths of notices are below `journal_root`. `audience` outlives this object.
  Feed(Audience& audience, std::filesystem::path journal_root, Names names);
  ~Feed();

  void take(const model::Notice& notice);
  /// Reads on to the end of what the attempt's journal has now, whatever notices said: for news that stand behind that.
  void catch_up(const RunId& run, std::string_view job, int attempt);
  /// Reads on in every journal that has grown, a piece of each in turn. False: nothing is left.
  bool read_some();

 private:
  struct StepLines {
    LineSplitter splitters[2];
    wire::Folds folds;
    std::uint64_t lines = 0;
    std::uint64_t lost = 0;
    Time last{};
  };
  struct Watched {
    AttemptView view;
    std::optional<journal::Reader> reader;
    std::uint64_t grown_to = 0;  // as the last notice said
    std::map<std::uint16_t, StepLines> steps;
    bool said_broken = false;
  };

  void start(const model::AttemptStarted& notice);
  void finish(const model::AttemptFinished& notice);
  bool open(Watched& attempt);
  bool read_piece(Watched& attempt, std::uint64_t most);
  void accept(Watched& attempt, const journal::Record& record);
  void show(Watched& attempt, StepLines& lines, OutputLine line);
  void accept_output(Watched& attempt, const journal::Record& record);
  void finish_lines(Watched& attempt, std::uint16_t step, Time at);
  void complain(Watched& attempt, const std::string& what);
  std::string label_of(const RunId& run, const std::string& job) const;

  Audience& audience_;
  std::filesystem::path journal_root_;
  std::map<RunId, std::string> runs_;  // workflow by run, as long as it lives
  Names names_;
  std::map<AttemptId, std::unique_ptr<Watched>> attempts_;
};

}  // namespace slipway::cli
