#include <algorithm>
#include <array>
#include <charconv>
#include <map>

#include <zlib.h>

#include "cli/configuration.h"
#include "cli/json_writer.h"
#include "cli/log_line.h"
#include "cli/report.h"
#include "cli/report_parts.h"
#include "cli/summary.h"
#include "journal/lines.h"
#include "journal/seal.h"

namespace slipway::cli::report {

namespace {

constexpr std::size_t kPieceBytes = 256U << 10U;  // unpacked in some milliseconds, and a screen needs one or two
constexpr std::size_t kMostFolds = 20'000;        // of a step
constexpr std::size_t kLongestLine = 20'000;      // characters of one that are shown

void append_base36(std::string& out, std::int64_t number) {
  std::array<char, 16> digits;
  const auto [end, error] =
      std::to_chars(digits.data(), digits.data() + digits.size(), std::max<std::int64_t>(number, 0), 36);
  if (error == std::errc()) out.append(digits.data(), end);
}

// One compressor for all pieces: making one costs more than what it packs.
class Deflater {
 public:
  Deflater() { ready_ = deflateInit(&stream_, Z_BEST_SPEED) == Z_OK; }
  ~Deflater() { deflateEnd(&stream_); }
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;

  Result<std::string_view> pack(const std::string& bytes) {
    if (!ready_ || deflateReset(&stream_) != Z_OK) return fail(ErrorKind::internal, "zlib");
    packed_.resize(deflateBound(&stream_, bytes.size()));
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream_.avail_in = static_cast<uInt>(bytes.size());
    stream_.next_out = reinterpret_cast<Bytef*>(packed_.data());
    stream_.avail_out = static_cast<uInt>(packed_.size());
    if (deflate(&stream_, Z_FINISH) != Z_STREAM_END) return fail(ErrorKind::internal, "zlib");
    return std::string_view(packed_).substr(0, stream_.total_out);
  }

 private:
  z_stream stream_{};
  bool ready_ = false;
  std::string packed_;
};

struct Fold {
  std::uint64_t first = 0, last = 0;
  wire::LogMark::Shown shown = wire::LogMark::Shown::automatic;
};

struct Step {
  std::string text;  // the open piece
  std::uint64_t lines = 0, first_of_piece = 1, error = 0;
  Time started{};
  bool failed = false;
  std::vector<std::array<std::uint64_t, 3>> pieces;  // number, first line, lines
  std::vector<Fold> folds;
  std::vector<std::size_t> open_folds;  // into `folds`, by depth
  wire::Folds groups;
};

class Packer {
 public:
  Packer(const Log& log, Sink& sink, std::size_t& pieces) : sink_(sink), pieces_(pieces) {
    for (const ShownStep& shown : log.steps) {
      Step& step = steps_[shown.number];
      step.started = shown.started;
      step.failed = shown.result != nullptr && model::ending_of(shown.result->outcome) == model::Ending::failed;
    }
  }

  Result<void> take(const journal::Line& line) {
    Step& step = step_of(line);
    const std::uint64_t lost = line.lost_bytes;
    if (lost > 0) {
      return add(step, 'x', line.time, fmt::format("... {} of output were cut here by the log cap", size_text(lost)));
    }
    if (!line.from_source && step.groups.end_siblings()) follow_folds(step, wire::LogMark::Shown::automatic);
    if (wire::may_be_mark(line.text)) {
      const wire::LogMark mark = step.groups.see(line.text, line.from_source);
      if (mark.kind != wire::LogMark::Kind::none) return take_mark(step, line, mark);
    }
    if (step.failed && step.error == 0 && looks_like_error(line.text)) step.error = step.lines + 1;
    const char kind = line.from_source ? 's' : line.stream == journal::Stream::err ? 'e' : 'o';
    return add(step, kind, line.time, line.text);
  }

  Result<void> take_group_record(const journal::Line& record) {
    Step& step = step_of(record);
    if (step.groups.end_siblings()) follow_folds(step, wire::LogMark::Shown::automatic);
    const auto header = take_group(record.text, step.groups, false);
    if (!header) {
      follow_folds(step, wire::LogMark::Shown::automatic);
      return {};
    }
    SW_CHECK(add(step, 'g', record.time, header->substr(std::string_view("▸ ").size())));
    follow_folds(step, wire::LogMark::Shown::automatic);
    return {};
  }

  Result<void> finish() {
    for (auto& [index, step] : steps_) {
      SW_CHECK(flush(step));
      for (const std::size_t fold : step.open_folds) step.folds[fold].last = step.lines;
    }
    return {};
  }

  std::map<std::uint16_t, Step>& steps() { return steps_; }

 private:
  Step& step_of(const journal::Line& line) {
    Step& step = steps_[line.step];
    if (step.started == Time{}) step.started = line.time;
    return step;
  }

  Result<void> take_mark(Step& step, const journal::Line& line, const wire::LogMark& mark) {
    using Kind = wire::LogMark::Kind;
    char kind = 'o';
    std::string text;
    switch (mark.kind) {
      case Kind::open:
        kind = 'g';
        text = mark.text;
        break;
      case Kind::close:
      case Kind::expand: kind = 'h'; break;
      case Kind::annotation: {
        using Level = wire::payload::Annotation::Level;
        const Level level = mark.annotation.level;
        kind = level == Level::error ? 'E' : level == Level::warning ? 'W' : 'N';
        if (level == Level::error && step.failed && step.error == 0) step.error = step.lines + 1;
        text = mark_text(mark, line.text, false).value_or("");
        break;
      }
      case Kind::debug:
        kind = 'd';
        text = mark_text(mark, line.text, false).value_or("");
        break;
      case Kind::none:
      case Kind::mask:
      case Kind::stop:
      case Kind::resume: text = line.text; break;
    }
    SW_CHECK(add(step, kind, line.time, text));
    if (mark.kind == Kind::expand && !step.open_folds.empty()) {
      step.folds[step.open_folds.back()].shown = wire::LogMark::Shown::open;
    }
    if (mark.is_flat) close_folds(step, step.groups.open().size() - 1, step.lines - 1);
    follow_folds(step, mark.shown);
    return {};
  }

  // As the groups are after the step's last line.
  void follow_folds(Step& step, wire::LogMark::Shown shown) {
    const std::size_t depth = step.groups.open().size();
    close_folds(step, depth, step.lines);
    while (step.open_folds.size() < depth) {
      if (step.folds.size() >= kMostFolds) return;
      step.open_folds.push_back(step.folds.size());
      step.folds.push_back({step.lines, step.lines, shown});
    }
  }

  void close_folds(Step& step, std::size_t depth, std::uint64_t last) {
    while (step.open_folds.size() > depth) {
      step.folds[step.open_folds.back()].last = last;
      step.open_folds.pop_back();
    }
  }

  Result<void> add(Step& step, char kind, Time time, std::string_view text) {
    std::string& out = step.text;
    out += kind;
    append_base36(out, (time - step.started) / std::chrono::milliseconds(1));
    out += '\x1f';
    std::string drawn;
    const std::size_t at = out.size();
    append_printable(out, visible_line(text, drawn).substr(0, kLongestLine), Colour::keep);
    // What a line is cut in is one of ours; a job's own would begin another.
    std::replace_if(
        out.begin() + static_cast<std::ptrdiff_t>(at), out.end(),
        [](char c) { return c == '\n' || c == '\r' || c == '\x1f'; }, ' ');
    out += '\n';
    ++step.lines;
    return out.size() >= kPieceBytes ? flush(step) : Result<void>();
  }

  Result<void> flush(Step& step) {
    if (step.text.empty()) return {};
    SW_TRY(const std::string_view packed, deflater_.pack(step.text));
    step.pieces.push_back({pieces_, step.first_of_piece, step.lines - step.first_of_piece + 1});
    std::string& out = sink_.buffer();
    out += fmt::format("<script type=\"text/plain\" id=\"p{}\">", pieces_++);
    out += base64(packed);
    out += "</script>\n";
    sink_.written();
    step.first_of_piece = step.lines + 1;
    step.text.clear();
    return {};
  }

  Sink& sink_;
  std::size_t& pieces_;
  Deflater deflater_;
  std::map<std::uint16_t, Step> steps_;
};

std::string end_of(const ShownStep& step) {
  const std::string end = end_text(step);
  if (step.result == nullptr || step.result->outcome == model::Outcome::skipped) return end;
  std::string text = fmt::format("{}{}{}", outcome_text(step.result->outcome), end.empty() ? "" : ", ", end);
  const Duration took = step.result->finished - step.result->started;
  return took > Duration(0) ? fmt::format("{} in {}", text, to_short_text(took)) : text;
}

// Folds of what went well are closed, as its author may have said otherwise.
bool is_closed(const Fold& fold, bool failed) {
  using Shown = wire::LogMark::Shown;
  return fold.shown == Shown::closed || (fold.shown == Shown::automatic && !failed);
}

void append_step(std::string& index, const Step& step, const ShownStep& shown, bool closed) {
  const Mark mark = mark_of(shown);
  JsonWriter json(index);
  json.begin_object().field("name", shown.name).field("mark", symbol(mark, false)).field("class", class_of(mark));
  json.field("end", end_of(shown)).field("lines", step.lines);
  json.field("error", step.error).field("closed", closed);
  std::string list = "[";
  for (const auto& [number, first, count] : step.pieces) {
    list += fmt::format("{}[{},{},{}]", list.size() > 1 ? "," : "", number, first, count);
  }
  json.raw("pieces", list + "]");
  list = "[";
  for (const Fold& fold : step.folds) {
    list += fmt::format("{}[{},{},{}]", list.size() > 1 ? "," : "", fold.first, fold.last,
                        is_closed(fold, step.failed) ? 1 : 0);
  }
  json.raw("folds", list + "]").end_object();
}

}  // namespace

Result<void> write_log(const Log& log, Sink& sink, std::size_t& pieces, std::uint64_t& bytes_left, std::string& index,
                       const os::CallLimit& limit) {
  Packer packer(log, sink, pieces);
  auto source = journal::open_source(log.journal);
  auto reader = source ? journal::LineReader::open(std::move(*source), {})
                       : Result<journal::LineReader>(std::unexpected(source.error()));
  using What = journal::LineReader::Next::What;
  // A journal that is not there is a log without lines: the attempt never came to that.
  for (std::uint64_t count = 0; reader; ++count) {
    if (count % 4096 == 0 && limit.stop.stop_requested()) return fail(ErrorKind::cancelled, "stopped");
    SW_TRY(const auto next, reader->next());
    if (next.what == What::end) break;
    if (next.what == What::damaged) continue;
    bytes_left -= std::min<std::uint64_t>(bytes_left, next.line.text.size() + 1);
    if (bytes_left == 0) {
      journal::Line note = next.line;
      note.text = "... and more than a report holds: slipway logs";
      SW_CHECK(packer.take(note));
      break;
    }
    SW_CHECK(next.what == What::group ? packer.take_group_record(next.line) : packer.take(next.line));
  }
  while (reader) {
    const auto open = reader->take_open_line();
    if (!open) break;
    SW_CHECK(packer.take(*open));
  }
  SW_CHECK(packer.finish());

  const Mark mark = mark_of_log(log);
  const bool failed = class_of(mark) == "failed";
  JsonWriter json(index);
  json.begin_object().field("name", log.name).field("mark", symbol(mark, false)).field("class", class_of(mark));
  std::string steps = "[";
  const auto append = [&](const Step& step, const ShownStep& shown) {
    if (steps.size() > 1) steps += ',';
    append_step(steps, step, shown, failed && !step.failed);
  };
  for (const ShownStep& shown : log.steps) {
    const auto taken = packer.steps().extract(shown.number);
    append(taken.mapped(), shown);
  }
  // Of a step that nothing else tells of.
  for (const auto& [number, step] : packer.steps()) append(step, {.number = number, .name = "output"});
  json.raw("steps", steps + "]").end_object();
  return {};
}

}  // namespace slipway::cli::report
