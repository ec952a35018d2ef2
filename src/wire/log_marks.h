#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wire/journal_json.h"

/// What scripts that were written for other systems print to fold their output and to annotate it. A line is one or it
/// is not: marks are understood at a line's first byte only, and never change what is recorded of it.
///   GitHub     ::group::NAME  ::endgroup::  ::error file=F,line=L,col=C,endLine=E,title=T::MESSAGE  ::warning ::notice
///              ::debug::TEXT  ::add-mask::VALUE  ::stop-commands::TOKEN ... ::TOKEN::
///   GitLab     section_start:SECONDS:NAME[collapsed=true]\r\e[0KHEADER  section_end:SECONDS:NAME\r\e[0K
///   Buildkite  --- NAME  +++ NAME (open)  ~~~ NAME (muted)  ^^^ +++ (the group that it stands in is to be open)
/// `slipway-init` obeys annotations and masks of job code; folds are for the eye, and views make them while they read,
/// also of a sibling's output. Not taken for Buildkite's: headers of a diff, results of `go test`.
namespace slipway::wire {

/// Of an annotation's texts; what is more is cut off.
inline constexpr std::size_t kMostName = 4U << 10U;
inline constexpr std::size_t kMostMessage = 64U << 10U;

struct LogMark {
  enum class Kind {
    none,
    open,        ///< a group begins: `text` its header
    close,       ///< the innermost one ends; `name` given: that one
    expand,      ///< the group that it stands in is to be shown open
    annotation,  ///< `annotation`
    debug,       ///< `text`
    mask,        ///< `text`: the value, decoded
    stop,        ///< `text`: until `::TEXT::`, no line is a mark
    resume,      ///< maybe: `text` as it stands between the colons
  } kind = Kind::none;
  enum class Shown { automatic, open, closed } shown = Shown::automatic;  ///< of `open`
  bool is_flat = false;  ///< of `open`: it ends the group before it (Buildkite)
  std::string name, text;
  payload::Annotation annotation;
};

/// False for most lines, by their first bytes alone: whoever reads millions of them asks this first.
inline bool may_be_mark(std::string_view line) {
  if (line.size() < 3) return false;
  switch (line[0]) {
    case ':': return line[1] == ':';
    case '-':
    case '+':
    case '~':
    case '^': return line[1] == line[0] && line[2] == line[0];
    case 's': return line.starts_with("section_");
    case '\x1b':
    case '\r': return line.substr(0, 16).find("section_") != std::string_view::npos;
    default: return false;
  }
}

/// At most 4 KiB of a name and 64 KiB of a message are kept.
LogMark read_mark(std::string_view line);

/// The groups of one step, line by line. Cheap for lines that are no marks.
class Folds {
 public:
  static constexpr std::size_t kDeepest = 16;

  /// What `line` is, and what that does to the groups. Of a sibling's only groups are marks: they lie within those of
  /// job code, end none of them, and end where job code goes on.
  LogMark see(std::string_view line, bool from_source);
  /// To be called for a line that is not a sibling's and no mark: what siblings began ends before it. Whether anything
  /// did.
  bool end_siblings() { return siblings_ > 0 && cut(names_.size() - siblings_); }
  /// Groups from the outermost on that hold the next line.
  const std::vector<std::string>& open() const { return names_; }
  /// `Build / Link`; empty outside of all.
  const std::string& path() const { return path_; }
  /// As if it had been printed: groups that came over the control socket.
  void open(std::string name);
  void close();

 private:
  struct Group {
    std::string key;
    bool is_flat = false;
  };
  void push(std::string name, Group group, bool from_source);
  bool cut(std::size_t depth);
  std::vector<std::string> names_;
  std::vector<Group> groups_;  // as many as names
  std::size_t siblings_ = 0;   // the innermost ones, which siblings began
  std::string stopped_until_, path_;
};

}  // namespace slipway::wire
