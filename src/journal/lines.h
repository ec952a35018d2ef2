#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "journal/reader.h"

namespace slipway::journal {

/// One line of a step's output, without its newline.
struct Line {
  std::uint16_t step = kNoStep;
  Stream stream = Stream::out;
  std::uint64_t number = 0;      ///< from 1 within its step, in the order in which lines end
  Time time{};                   ///< when its first byte was recorded
  std::uint64_t offset = 0;      ///< of the record with its last byte
  bool from_source = false;      ///< printed by a sibling
  bool goes_on = false;          ///< longer than kLongestLine: the next line of this stream belongs to it
  std::uint64_t lost_bytes = 0;  ///< not 0: no line, but the place where so many bytes of the step were dropped
  std::string_view text;         ///< valid until the next call
};

/// Which lines. Everything given must hold.
struct LineStart {
  std::optional<std::uint16_t> step;  ///< only this step's
  std::uint64_t first_number = 1;     ///< needs `step`
  std::optional<Time> since;
  std::uint64_t offset = 0;  ///< lines that end at or behind this record
};

/// The lines of a journal in the order in which they end. Finds its start by checkpoints: a 10 GB journal costs
/// what lies between two of them. Memory: one open line (64 KiB) for each running step and stream.
class LineReader {
 public:
  static Result<LineReader> open(std::unique_ptr<Source> source, const LineStart& start);

  struct Next {
    enum class What { line, group, end, damaged } what = What::end;
    Line line;  ///< group: `text` is the payload of a `group` record, which stands between this step's lines
    std::uint64_t offset = 0, lost = 0;  ///< damaged: where and how many bytes
  };
  /// `end`: no more whole lines; ask again when the file has grown. The last line of a step needs no newline.
  Result<Next> next();

  /// For an ended journal whose step never finished: gives out lines that have no end, one a call.
  std::optional<Line> take_open_line();

 private:
  struct Open {
    std::string text;
    Time time{};
    bool from_source = false;
  };
  struct StepState {
    std::uint64_t lines = 0;
    std::uint64_t lost = 0, shown_lost = 0;
    std::array<Open, 2> open;
  };
  LineReader(Reader reader, const LineStart& start);
  Result<void> find_start();
  Result<void> read_head(std::uint16_t step, Stream stream, const OpenLine& open, std::uint64_t before);
  std::optional<Line> take_from_payload();
  Line line_of(std::uint16_t step, std::size_t stream, StepState& state) const;
  std::optional<Line> finish_open(std::uint16_t step, StepState& state);
  bool wanted(const Line& line) const;
  void accept(const journal::Next& next);

  Reader reader_;
  LineStart start_;
  std::map<std::uint16_t, StepState> steps_;
  // The record being cut into lines.
  Record record_;
  std::uint64_t record_at_ = 0;
  std::string_view rest_;
  bool closing_ = false;  // the record ends its step's open lines
  bool is_group_ = false;
  std::string text_;  // what the last line given out points to
};

}  // namespace slipway::journal
