#include "journal/lines.h"

#include <algorithm>
#include <cstring>

namespace slipway::journal {

LineReader::LineReader(Reader reader, const LineStart& start) : reader_(std::move(reader)), start_(start) {}

Result<LineReader> LineReader::open(std::unique_ptr<Source> source, const LineStart& start) {
  if (start.first_number > 1 && !start.step) {
    return fail(ErrorKind::invalid, "line numbers count within a step: name the step");
  }
  SW_TRY(Reader reader, Reader::open(std::move(source)));
  LineReader lines(std::move(reader), start);
  SW_CHECK(lines.find_start());
  return lines;
}

Result<void> LineReader::find_start() {
  CheckpointQuery query;
  if (start_.offset > 0) query.before = start_.offset + 1;
  query.earlier_than = start_.since;
  query.step = start_.step;
  query.most_lines = start_.first_number - std::min<std::uint64_t>(start_.first_number, 1);
  const bool from_beginning = start_.offset == 0 && !start_.since && !start_.step;
  if (from_beginning) return {};
  SW_TRY(const auto checkpoint, reader_.find_checkpoint(query));
  if (!checkpoint) return {};
  for (const StepCount& count : checkpoint->steps) {
    if (start_.step && count.step != *start_.step) continue;
    StepState& state = steps_[count.step];
    state.lines = count.lines;
    state.lost = state.shown_lost = count.lost;
    for (const Stream stream : {Stream::out, Stream::err}) {
      const OpenLine& open = count.open[static_cast<std::size_t>(stream)];
      if (open.bytes == 0 || open.bytes >= kLongestLine) continue;
      SW_CHECK(read_head(count.step, stream, open, checkpoint->self));
    }
  }
  reader_.seek(checkpoint->self);
  return {};
}

/// Fills a line that is open at the checkpoint `before`. Only so far as the line goes: a prompt that was printed
/// long ago must not make us read all that came after it.
Result<void> LineReader::read_head(std::uint16_t step, Stream stream, const OpenLine& open, std::uint64_t before) {
  Open& line = steps_[step].open[static_cast<std::size_t>(stream)];
  reader_.seek(open.record);
  while (line.text.size() < open.bytes && reader_.position() < before) {
    SW_TRY(const journal::Next next, reader_.next());
    if (next.what == journal::Next::What::end || next.what == journal::Next::What::torn) return {};
    const bool ours =
        next.what == journal::Next::What::record && next.record.step == step && next.record.type == output_type(stream);
    if (!ours) continue;
    std::string_view text = next.record.payload;
    if (next.offset == open.record) text.remove_prefix(std::min<std::size_t>(open.skip, text.size()));
    if (line.text.empty()) {
      line.time = next.record.time;
      line.from_source = (next.record.flags & kFromSource) != 0;
    }
    line.text.append(text.substr(0, open.bytes - line.text.size()));
  }
  return {};
}

/// Takes a record's effect on open lines; `rest_` or `closing_` tells that it may end some.
void LineReader::accept(const journal::Next& next) {
  record_ = next.record;
  record_at_ = next.offset;
  if (start_.step && record_.step != *start_.step) return;
  switch (record_.type) {
    case RecordType::output_stdout:
    case RecordType::output_stderr: rest_ = record_.payload; return;
    case RecordType::truncation: {
      const auto truncation = parse_truncation(record_.payload);
      StepState& state = steps_[record_.step];
      if (!truncation || truncation->lost <= state.lost) return;
      state.lost = truncation->lost;
      closing_ = true;
      return;
    }
    case RecordType::step_finished: closing_ = true; return;
    case RecordType::group: is_group_ = next.offset >= start_.offset; return;
    default: return;
  }
}

/// The next line that ends within the current record.
std::optional<Line> LineReader::take_from_payload() {
  const std::size_t stream = record_.type == RecordType::output_stderr ? 1 : 0;
  StepState& state = steps_[record_.step];
  if (state.lost != state.shown_lost) {
    Line gap;
    gap.step = record_.step;
    gap.number = state.lines;
    gap.time = record_.time;
    gap.offset = record_at_;
    gap.lost_bytes = state.lost - state.shown_lost;
    state.shown_lost = state.lost;
    return gap;
  }
  Open& open = state.open[stream];
  const std::string_view reach = rest_.substr(0, kLongestLine - open.text.size());
  const std::size_t newline = reach.find('\n');
  const bool whole = newline != std::string_view::npos;
  const std::string_view piece = whole ? reach.substr(0, newline) : reach;
  rest_.remove_prefix(piece.size() + (whole ? 1 : 0));
  if (open.text.empty()) {
    open.time = record_.time;
    open.from_source = (record_.flags & kFromSource) != 0;
  }
  const bool full = !whole && open.text.size() + piece.size() == kLongestLine;
  if (!whole && !full) {
    open.text.append(piece);
    return std::nullopt;
  }
  Line line = line_of(record_.step, stream, state);
  line.goes_on = full;
  if (open.text.empty()) {
    line.text = piece;  // the common case: the line lies whole in one record
  } else {
    text_ = std::move(open.text);
    text_.append(piece);
    line.text = text_;
    open.text.clear();
  }
  return line;
}

/// The next line of this step, but for its text.
Line LineReader::line_of(std::uint16_t step, std::size_t stream, StepState& state) const {
  Line line;
  line.step = step;
  line.stream = stream == 0 ? Stream::out : Stream::err;
  line.number = ++state.lines;
  line.time = state.open[stream].time;
  line.offset = record_at_;
  line.from_source = state.open[stream].from_source;
  return line;
}

/// An open line of this step, ended by something else than a newline.
std::optional<Line> LineReader::finish_open(std::uint16_t step, StepState& state) {
  for (std::size_t stream = 0; stream < 2; ++stream) {
    Open& open = state.open[stream];
    if (open.text.empty()) continue;
    text_ = std::move(open.text);
    open.text.clear();
    Line line = line_of(step, stream, state);
    line.text = text_;
    return line;
  }
  return std::nullopt;
}

bool LineReader::wanted(const Line& line) const {
  if (line.offset < start_.offset) return false;
  if (start_.since && line.time < *start_.since) return false;
  return line.lost_bytes > 0 || line.number >= start_.first_number;
}

Result<LineReader::Next> LineReader::next() {
  for (;;) {
    while (!rest_.empty()) {
      const auto line = take_from_payload();
      if (line && wanted(*line)) return Next{Next::What::line, *line, 0, 0};
    }
    while (closing_) {
      StepState& state = steps_[record_.step];
      auto line = finish_open(record_.step, state);
      if (!line) closing_ = false;
      // The step's last loss has no output behind it that would show it.
      if (!line && record_.type == RecordType::step_finished && state.lost != state.shown_lost) {
        line.emplace();
        line->step = record_.step;
        line->number = state.lines;
        line->time = record_.time;
        line->offset = record_at_;
        line->lost_bytes = state.lost - state.shown_lost;
        state.shown_lost = state.lost;
      }
      if (line && wanted(*line)) return Next{Next::What::line, *line, 0, 0};
    }
    if (std::exchange(is_group_, false)) {
      Line line;
      line.step = record_.step;
      line.time = record_.time;
      line.offset = record_at_;
      line.text = record_.payload;
      return Next{Next::What::group, line, 0, 0};
    }
    SW_TRY(const journal::Next next, reader_.next());
    if (next.what == journal::Next::What::end || next.what == journal::Next::What::torn) return Next{};
    if (next.what == journal::Next::What::damaged) return Next{Next::What::damaged, {}, next.offset, next.lost};
    accept(next);
  }
}

std::optional<Line> LineReader::take_open_line() {
  for (auto& [step, state] : steps_) {
    if (auto line = finish_open(step, state)) return line;
  }
  return std::nullopt;
}

}  // namespace slipway::journal
