#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "os/fd.h"
#include "os/message_socket.h"
#include "wire/visits.h"

/// The person's end of a command in a sandbox (wire/visits.h): between their terminal, or standard input and output,
/// and the descriptors that came out of the sandbox.
namespace slipway::cli {

/// The size of the terminal at `fd`; 24 by 80 where it does not say.
struct WindowSize {
  std::uint16_t rows = 24, columns = 80;
};
WindowSize window_size(int fd);

/// Puts a terminal into raw mode: every key is the program's, Ctrl-C too. Puts it back when destroyed, with the modes
/// that a program which was cut off leaves behind (alternate screen, mouse, paste, hidden cursor).
class RawTerminal {
 public:
  static Result<RawTerminal> enter(int fd);
  RawTerminal(RawTerminal&& other) noexcept;
  RawTerminal& operator=(RawTerminal&&) = delete;
  ~RawTerminal();

  /// The program has ended by itself: what it left behind is meant.
  void trust() { cut_off_ = false; }
  /// Looks for the alternate screen in what is printed.
  void saw(std::string_view output);

 private:
  struct Modes;
  RawTerminal(int fd, std::unique_ptr<Modes> modes);
  int fd_ = -1;
  std::unique_ptr<Modes> modes_;
  std::string tail_;  // of what was printed: a sequence may be split
  bool alternate_ = false, cut_off_ = true;
};

/// What the command's ends in the sandbox are connected with.
struct AttachedCommand {
  os::MessageSocket visit;  ///< says how it ended
  std::vector<os::Fd> fds;  ///< of its terminal; or of its input, output and errors
};

/// How it ended; no value: whoever ran the job is gone, and the sandbox with it.
struct AttachOutcome {
  std::optional<wire::VisitEnd> end;
};

/// Passes on what is typed and printed until the command ends. `terminal`: in raw mode, of the descriptor `in`; null
/// for pipes. Calls for `stop` end it as `cancelled`. SIGWINCH must be blocked in all threads.
Result<AttachOutcome> relay(AttachedCommand command, RawTerminal* terminal, const std::stop_token& stop);

}  // namespace slipway::cli
