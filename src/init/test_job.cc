#include "init/test_job.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include <gtest/gtest.h>

#include "base/scope_exit.h"
#include "init/entry.h"
#include "journal/reader.h"
#include "os/files.h"
#include "os/wait.h"
#include "wire/owner_json.h"

namespace slipway::init {

using namespace std::chrono_literals;
using journal::RecordType;

std::string Outcome::output(std::uint16_t step, RecordType stream) const {
  std::string text;
  for (const Recorded& record : records) {
    if (record.type == stream && record.step == step) text += record.payload;
  }
  return text;
}

std::vector<std::string> Outcome::payloads(RecordType type) const {
  std::vector<std::string> found;
  for (const Recorded& record : records) {
    if (record.type == type) found.push_back(record.payload);
  }
  return found;
}

bool Outcome::has_notice(std::string_view code) const {
  return std::ranges::any_of(records, [code](const Recorded& record) {
    if (record.type != RecordType::notice) return false;
    const auto notice = wire::payload::decode<wire::payload::Notice>(record.payload);
    return notice && notice->code == code;
  });
}

std::size_t Outcome::count(RecordType type, std::uint16_t step) const {
  return static_cast<std::size_t>(std::ranges::count_if(
      records, [&](const Recorded& record) { return record.type == type && record.step == step; }));
}

namespace {

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  EXPECT_LT(path.size(), sizeof address.sun_path);
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  return address;
}

os::Fd listen_at(const std::string& path) {
  const sockaddr_un address = address_of(path);
  os::Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  EXPECT_EQ(::listen(socket.get(), 4), 0);
  return socket;
}

os::Fd connect_to(const std::string& path) {
  const sockaddr_un address = address_of(path);
  os::Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  return socket;
}

}  // namespace

TestJob::TestJob() {
  for (const char* name : {"/job/src", "/job/secrets", "/job/artifacts", "/run/bin"}) {
    EXPECT_TRUE(os::make_directories(directory_ + name, 0755));
  }
  journal_ = os::open_file(directory_ + "/journal", O_RDWR | O_CREAT, 0600).value();
  ring_ = os::open_file(directory_ + "/ring", O_RDWR | O_CREAT, 0600).value();
  spec.run = RunId("run1");
  spec.job = spec.definition = "test";
  spec.attempt = AttemptId("attempt1");
  spec.workspace = workspace_;
  spec.grace = 300ms;
}

TestJob::~TestJob() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
}

model::StepSpec& TestJob::add(const std::string& script) {
  model::StepSpec step;
  step.name = "s" + std::to_string(spec.steps.size());
  step.action = model::Script{script};
  step.shell = {"sh", "-e"};
  spec.steps.push_back(std::move(step));
  return spec.steps.back();
}

std::string TestJob::file(const std::string& name) const {
  return os::read_file(workspace_ + "/" + name, 1U << 20U).value_or("(missing)");
}

void TestJob::put_command(const std::string& program) {
  EXPECT_EQ(::symlink(program.c_str(), (directory_ + "/run/bin/slipway").c_str()), 0);
}

void TestJob::start() {
  os::SocketPair pair = os::make_socket_pair().value();
  pid_ = ::fork();
  if (pid_ == 0) {
    pair.first.reset();
    journal_.reset();
    ring_.reset();
    Entry entry;
    entry.leash = std::move(pair.second);
    entry.single_id = true;
    entry.own_id = ::getuid();
    entry.workspace = workspace_;
    entry.runtime_dir = directory_ + "/run";
    entry.filter_calls = false;
    ::_exit(init::run(std::move(entry)));
  }
  leash_ = std::make_unique<os::MessageSocket>(std::move(pair.first));
  if (orphan_grace > Duration(0)) {
    const os::Fd socket = listen_at(listener());
    EXPECT_TRUE(leash_->send(wire::encode(wire::ToInit(wire::Keep{orphan_grace, "the estate"})),
                             {socket.get(), journal_.get()}, os::within(5s)));
  }
  wire::Orders orders{spec, secrets, {}, {}, ready};
  orders.breaks = breaks;
  orders.hold_limit = hold_limit;
  std::vector<int> fds = {journal_.get(), ring_.get()};
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (i < inputs_ahead) {
      EXPECT_TRUE(leash_->send(wire::encode(wire::ToInit(wire::Inputs{{inputs[i].first}})), {inputs[i].second},
                               os::within(5s)));
      continue;
    }
    orders.inputs.push_back(inputs[i].first);
    fds.push_back(inputs[i].second);
  }
  EXPECT_TRUE(leash_->send(wire::encode(wire::ToInit(std::move(orders))), fds, os::within(5s)));
}

void TestJob::send(const wire::ToInit& message) {
  EXPECT_TRUE(leash_->send(wire::encode(message), {}, os::within(5s)));
}

void TestJob::close_leash() { leash_.reset(); }

std::pair<wire::Kept, std::vector<os::Fd>> TestJob::adopt() {
  leash_ = std::make_unique<os::MessageSocket>(connect_to(listener()));
  open_.clear();
  auto first = leash_->receive(os::within(5s));
  EXPECT_TRUE(first) << first.error().what;
  if (!first) return {};
  const auto said = wire::decode_to_owner(first->text);
  EXPECT_TRUE(said && std::holds_alternative<wire::Kept>(*said)) << first->text;
  return {said ? std::get<wire::Kept>(*said) : wire::Kept{}, std::move(first->fds)};
}

void TestJob::serve_one() {
  auto message = leash_->receive(os::within(5s));
  if (!message) return leash_.reset();
  const auto said = wire::decode_to_owner(message->text);
  ASSERT_TRUE(said) << said.error().what;
  if (const auto* request = std::get_if<wire::Request>(&*said)) answer(*request);
  if (std::holds_alternative<wire::Ready>(*said)) when_ready();
  if (const auto* held = std::get_if<wire::Held>(&*said)) when_held(*held);
  if (const auto* attached = std::get_if<wire::Attached>(&*said)) when_attached(*attached);
  if (const auto* left = std::get_if<wire::AttachEnded>(&*said)) when_left(*left);
  if (!std::holds_alternative<wire::Progress>(*said) || triggers_.empty()) return;
  const Outcome now = read_journal();
  std::string all;
  constexpr std::size_t kChildren = 4;  // child steps that are looked at too
  for (std::uint16_t step = 0; step < spec.steps.size() + kChildren; ++step) all += now.output(step);
  for (auto& [text, then] : triggers_) {
    if (then && all.find(text) != std::string::npos) std::exchange(then, nullptr)();
  }
}

void TestJob::answer(const wire::Request& request) {
  wire::Reply reply{request.id, true, "{}"};
  std::vector<int> fds;
  if (request.kind == "open_bundle") {
    before_bundle();
    const bool refused = std::ranges::any_of(refused_caches, [&](const std::string& key) {
      return request.json.find("\"" + key + "\"") != std::string::npos;
    });
    if (refused) {
      reply = {request.id, false, R"({"error":"the cache has this key already"})"};
    } else {
      os::Fd file(static_cast<int>(::syscall(SYS_memfd_create, "bundle", MFD_CLOEXEC)));
      fds.push_back(file.get());
      reply.json = "{\"bundle\":" + std::to_string(request.id) + "}";
      open_[request.id] = {request.json, std::move(file)};
    }
  } else if (request.kind == "close_bundle") {
    before_stored();
    const auto found = open_.find(wire::bundle_in(request.json).value());
    if (found == open_.end()) {
      reply = {request.id, false, R"({"error":"no such bundle is open"})"};
    } else {
      auto& [asked, file] = found->second;
      ::lseek(file.get(), 0, SEEK_SET);
      if (request.json.find("true") != std::string::npos) stored_[asked] = os::read_all(file.get(), 64U << 20U).value();
      reply.json = R"({"url":"file:///stored"})";
    }
  } else if (request.kind == "changed_files") {
    reply.json = R"({"files":["a.c","b.c"]})";
  } else {
    reply.json = R"({"kind":")" + request.kind + "\"}";
  }
  EXPECT_TRUE(leash_->send(wire::encode(wire::ToInit(reply)), fds, os::within(5s)));
}

Outcome TestJob::wait() {
  const os::Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  const os::CallLimit limit = os::within(30s);
  for (;;) {
    std::vector<int> fds = {pidfd.get()};
    if (leash_) fds.push_back(leash_->fd());
    const auto woken = os::wait_any_readable(fds, limit);
    if (!woken) {
      ADD_FAILURE() << "the job does not end";
      return read_journal();
    }
    if (woken->back() == 1) {
      serve_one();
    } else {
      break;
    }
  }
  ::waitpid(std::exchange(pid_, -1), nullptr, 0);
  return read_journal();
}

Outcome TestJob::read_journal() const {
  Outcome outcome;
  auto reader = journal::Reader::open_plain(os::open_file(directory_ + "/journal", O_RDONLY).value());
  if (!reader) return outcome;
  for (;;) {
    const auto next = reader->next();
    if (!next || next->what != journal::Next::What::record) break;
    outcome.records.push_back({next->record.type, next->record.step, std::string(next->record.payload), next->offset});
    if (next->record.type != RecordType::attempt_finished) continue;
    const auto finished = wire::payload::decode<wire::payload::AttemptFinished>(next->record.payload);
    EXPECT_TRUE(finished);
    if (finished) outcome.report = finished->report;
    outcome.finished = true;
  }
  return outcome;
}

}  // namespace slipway::init
