#include "sandbox/native/slots.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>

#include "os/files.h"

namespace slipway::sandbox::native {

Result<Slot> Slots::take() {
  {
    const std::scoped_lock lock(mutex_);
    if (!free_.empty()) {
      Slot slot = std::move(free_.front());
      free_.pop_front();
      return slot;
    }
  }
  for (int number = 0; number < kMost; ++number) {
    SW_TRY(os::Fd file, os::open_file(directory_ / std::to_string(number), O_RDWR | O_CREAT, 0600));
    if (::flock(file.get(), LOCK_EX | LOCK_NB) == 0) return Slot{number, std::move(file)};
  }
  return fail(ErrorKind::exhausted, "every sandbox slot of this machine is taken");
}

std::uint32_t next_turn(const Slot& slot) {
  std::uint32_t turn = 0;
  if (::pread(slot.lock.get(), &turn, sizeof turn, 0) != sizeof turn) {
    [[maybe_unused]] const auto got = ::getrandom(&turn, sizeof turn, GRND_NONBLOCK);  // else it begins at 0
  }
  const std::uint32_t next = turn + 1;
  [[maybe_unused]] const auto kept = ::pwrite(slot.lock.get(), &next, sizeof next, 0);  // else it begins anew
  return turn;
}

void Slots::give_back(Slot slot) {
  if (slot.number < 0) return;
  const std::scoped_lock lock(mutex_);
  free_.push_back(std::move(slot));
}

}  // namespace slipway::sandbox::native
