#pragma once

#include <string>
#include <string_view>

#include "init/journal_sync.h"
#include "journal/step_log.h"
#include "journal/tail_ring.h"
#include "journal/writer.h"
#include "secrets/masker.h"
#include "wire/journal_json.h"

namespace slipway::init {

/// Everything that goes into the journal passes here, masked. One thread.
///
/// Nothing here fails the job: a journal on a full disk counts what it loses (journal/step_log.h), and a record that
/// cannot be written is gone. `is_broken` says so at the end.
class RecordKeeper {
 public:
  /// `ring` may be empty: no tails are kept then.
  static Result<std::unique_ptr<RecordKeeper>> create(os::Fd journal, os::Fd ring, journal::LogCap cap);

  secrets::SecretSet& secrets() { return secrets_; }
  /// `text` with every secret replaced.
  std::string masked(std::string_view text) const;
  /// The same for text that somebody else cut when it was `most` bytes long or nearly so: where it ends within what may
  /// be a secret, that goes too.
  std::string masked_cut(std::string_view text, std::size_t most) const;
  /// What people know a command by: masked, and cut to 200 bytes only then, since nobody recognizes half a secret.
  std::string title_of(std::string_view command) const;

  template <class Payload>
  void append(journal::RecordType type, std::uint16_t step, const Payload& payload) {
    append_text(type, step, wire::payload::encode(payload));
  }
  void notice(std::uint16_t step, std::string code, std::string_view message);
  /// Output of a step that has been masked already.
  void output(std::uint16_t step, journal::Stream stream, std::string_view bytes, std::uint8_t flags = 0);
  /// See journal::StepLog.
  void share_log_from(std::uint16_t first, std::uint64_t bytes) { log_->share_from(first, bytes); }
  /// The tail of the step's output goes into the journal.
  void end_step_output(std::uint16_t step);
  /// What waits for the end of its step: visited and kept.
  Result<void> look_at_tails(const journal::TailRing::Visit& visit) const;

  /// What was appended can be read by others.
  void flush();
  /// Asks for what was appended to be put on the disk within a moment: whoever owns this calls `start_sync`, or
  /// `close`, which does the same for a job that ends before.
  void ask_sync() { sync_asked_ = true; }
  bool is_sync_asked() const { return sync_asked_; }
  /// Begins to put it there, without waiting for it.
  void start_sync();
  /// Everything is on the disk; nothing more is appended.
  void close();

  std::uint64_t offset() const { return writer_.offset(); }
  int fd() const { return writer_.fd(); }
  bool is_broken() const { return broken_; }

 private:
  RecordKeeper(journal::Writer writer, std::optional<journal::TailRing> ring);
  void append_text(journal::RecordType type, std::uint16_t step, std::string_view payload);

  journal::Writer writer_;
  std::optional<journal::TailRing> ring_;
  std::optional<journal::StepLog> log_;  // made last: it points to the two above
  secrets::SecretSet secrets_;
  bool broken_ = false;
  bool sync_asked_ = false;
  JournalSync sync_;  // owns a thread: last
};

}  // namespace slipway::init
