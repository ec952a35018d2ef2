#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/error.h"
#include "base/time.h"

/// Debugging a job that runs: where it is held, and commands of a person in its sandbox.
///
/// Two hops. A visitor (`slipway attach`, `continue`, ...) sends one VisitRequest over the unix socket of the process
/// that drives the run (os::MessageSocket, one JSON object a message), which answers with VisitReply and closes, but
/// for `attach`: its reply brings the descriptors of the command's terminal or pipes, and when the command has ended,
/// a VisitEnd follows. A visitor that goes away ends its command. The driver passes all of it on over the leash.
///
/// The descriptors are made inside the sandbox: nothing of the visitor's own ever gets there.
namespace slipway::wire {

/// Where a job stops for a person.
struct Breakpoint {
  enum class When { on_failure, after, before } when = When::on_failure;
  std::string step;  ///< name; empty with `on_failure`
};
/// `on-failure`, `STEP` or `before:STEP`; as written.
Breakpoint parse_breakpoint(const std::string& text);
std::string to_text(const Breakpoint& breakpoint);

/// How a held job goes on.
enum class Resume { go_on, retry, abort };
std::string_view to_string(Resume how);  ///< `continue`, `retry`, `abort`
std::optional<Resume> resume_of(std::string_view word);

/// One command in the sandbox.
struct AttachCommand {
  std::vector<std::string> argv;  ///< empty: a shell
  bool terminal = true;           ///< else three pipes
  std::uint16_t rows = 24, columns = 80;
  std::string term;  ///< TERM of the visitor
};
constexpr std::size_t kMaxAttached = 32;  ///< commands of visitors in one sandbox at a time

// --- owner to init ---
/// Answered by `Attached`, with the terminal's descriptor or those of stdin, stdout and stderr; later `AttachEnded`.
struct Attach {
  std::uint64_t id = 0;
  AttachCommand command;
};
/// The visitor has gone.
struct Detach {
  std::uint64_t id = 0;
};

// --- init to owner ---
struct Attached {
  std::uint64_t id = 0;
  std::string error;  ///< empty: it runs
  std::string step;   ///< whose environment it has
};
struct AttachEnded {
  std::uint64_t id = 0;
  int exit_code = 0;   ///< 128 + signal when one ended it
  std::string reason;  ///< when it was not its own end
};
/// The job is held. Sent again when another step is held too.
struct Held {
  std::string step, why;   ///< of the step held last
  bool can_retry = false;  ///< it has run
  Duration limit{0};       ///< from here on; then it is as if aborted
};
struct Resumed {
  Resume how = Resume::go_on;
};

// --- visitor to the driver of the run ---
struct VisitRequest {
  enum class What { list, attach, resume } what = What::list;
  std::string run, job;  ///< whole id; instance name
  AttachCommand command;
  Resume how = Resume::go_on;
};
/// A job that can be visited.
struct LiveJob {
  std::string run, job, step;  ///< `step`: the one it is held at; empty: it is not held
  std::string why;
  bool can_retry = false;
  bool operator==(const LiveJob&) const = default;
};
struct VisitReply {
  std::string error;  ///< empty: done
  std::string step;
  std::vector<LiveJob> jobs;  ///< of `list`
};
struct VisitEnd {
  int exit_code = 0;
  std::string reason;
};

std::string encode(const VisitRequest& request);
Result<VisitRequest> decode_visit_request(std::string_view text);
std::string encode(const VisitReply& reply);
Result<VisitReply> decode_visit_reply(std::string_view text);
std::string encode(const VisitEnd& end);
Result<VisitEnd> decode_visit_end(std::string_view text);

}  // namespace slipway::wire
