#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "init/command_lines.h"
#include "init/poller.h"
#include "init/record_keeper.h"
#include "os/fd.h"

namespace slipway::init {

/// From the pipes of steps into the journal: read, mask, append.
///
/// What a read brings is recorded at once, so a live view is live. A stream that brings little rests a while before
/// it is read again: the pipe gathers for it, and a program that writes byte by byte makes a hundred records a second
/// and not a million. A stream that fills its pipe never rests.
class OutputPump {
 public:
  OutputPump(Poller& poller, RecordKeeper& records);
  ~OutputPump();

  enum class Origin { job, source };
  /// Returns what `finish_stream` takes.
  std::uint64_t add(std::uint16_t step, journal::Stream stream, os::Fd pipe, Origin origin = Origin::job);

  /// Nobody can write to it any more: takes what is in it and ends it.
  void finish_stream(std::uint64_t id);

  /// Takes what is in the pipes of `step` now, so that it stands before what is recorded next: what the step asks for
  /// by its socket would overtake it.
  void catch_up(std::uint16_t step);

  /// The main process of `step` has ended: takes what is in its pipes now and no more, since a child of it may write
  /// on for as long as it likes. What a mask holds back stays held until such a child closes the pipe.
  void drain(std::uint16_t step);
  /// No process of the job is left: takes everything and ends all streams.
  void finish();

  /// When `step` last printed something; never before it was added.
  os::Deadline last_output(std::uint16_t step) const;
  os::Deadline last_output() const { return last_output_; }
  /// `on_text` gets, masked, all that is printed from here on, until there is another listener or none.
  void listen(std::function<void(std::string_view)> on_text) { on_text_ = std::move(on_text); }
  /// `on_command` gets each line of a step, not of a sibling, that begins with `::`, before it is recorded.
  using OnCommand = std::function<void(std::uint16_t step, journal::Stream stream, std::string_view line)>;
  void obey(OnCommand on_command) { on_command_ = std::move(on_command); }
  /// Steps that printed after `drain`.
  std::vector<std::uint16_t> take_late_steps();

 private:
  struct Pipe {
    std::uint16_t step = 0;
    journal::Stream stream = journal::Stream::out;
    Origin origin = Origin::job;
    os::Fd fd;
    secrets::MaskingStream masking;
    CommandLines commands{};
    Poller::Token watch = Poller::kNone, rest = Poller::kNone;
    bool drained = false;
  };
  enum class More { maybe, no, ended };

  void on_ready(std::uint64_t id);
  More read_once(Pipe& pipe, std::size_t most, std::size_t& got);
  void take_waiting(Pipe& pipe);
  void take(Pipe& pipe, std::string_view bytes);
  void record(const Pipe& pipe);
  void close(std::uint64_t id);

  Poller& poller_;
  RecordKeeper& records_;
  std::map<std::uint64_t, Pipe> pipes_;
  std::uint64_t last_id_ = 0;
  std::map<std::uint16_t, os::Deadline> last_outputs_;
  os::Deadline last_output_;
  std::map<std::uint16_t, bool> late_;
  std::function<void(std::string_view)> on_text_;
  OnCommand on_command_;
  std::unique_ptr<char[]> buffer_;
  std::string masked_;
};

}  // namespace slipway::init
