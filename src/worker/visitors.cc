#include "worker/visitors.h"

#include <algorithm>

namespace slipway::worker {

namespace {

using namespace std::chrono_literals;

constexpr auto kSendLimit = 1s;  // a few small messages: they wait in the socket of whoever does not read them

}  // namespace

Result<void> Visitors::let_in() {
  for (AttemptControl::Visit& visit : control_.take_visits()) SW_CHECK(serve(std::move(visit)));
  return {};
}

Result<void> Visitors::serve(AttemptControl::Visit visit) {
  if (visit.request.what == wire::VisitRequest::What::attach) {
    const std::uint64_t id = ++last_id_;
    attached_.emplace(id, std::move(visit.visitor));
    return send_(wire::Attach{id, std::move(visit.request.command)});
  }
  const wire::LiveJob state = control_.state();
  const wire::Resume how = visit.request.how;
  wire::VisitReply reply;
  if (state.step.empty()) {
    reply.error = "the job is not held";
  } else if (how == wire::Resume::retry && !state.can_retry) {
    reply.error = "step `" + state.step + "` has not run yet: `slipway continue` runs it";
  } else {
    SW_CHECK(send_(how));
    control_.set_state({});  // whoever comes before init has obeyed means the same hold, not the next
  }
  answer(visit.visitor, reply, {});
  return {};
}

void Visitors::answer(os::MessageSocket& visitor, const wire::VisitReply& reply, const std::vector<int>& fds) {
  (void)visitor.send(wire::encode(reply), fds, os::within(kSendLimit));  // who has gone is noticed by its socket
}

std::vector<int> Visitors::sockets() const {
  std::vector<int> fds;
  for (const auto& [id, visitor] : attached_) fds.push_back(visitor.fd());
  return fds;
}

Result<void> Visitors::see_off(int socket) {
  const auto found = std::ranges::find_if(attached_, [&](const auto& one) { return one.second.fd() == socket; });
  if (found == attached_.end()) return {};
  const std::uint64_t id = found->first;
  attached_.erase(found);  // one has nothing more to say
  return send_(wire::Detach{id});
}

void Visitors::attached(const wire::Attached& given, const std::vector<os::Fd>& fds) {
  const auto found = attached_.find(given.id);
  if (found == attached_.end()) return;  // gone meanwhile: its descriptors go too, and init was told
  std::vector<int> numbers;
  for (const os::Fd& fd : fds) numbers.push_back(fd.get());
  answer(found->second, {given.error, given.step, {}}, numbers);
  if (!given.error.empty()) attached_.erase(found);
}

void Visitors::ended(const wire::AttachEnded& end) {
  const auto found = attached_.find(end.id);
  if (found == attached_.end()) return;
  (void)found->second.send(wire::encode(wire::VisitEnd{end.exit_code, end.reason}), {}, os::within(kSendLimit));
  attached_.erase(found);
}

}  // namespace slipway::worker
