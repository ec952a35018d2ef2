#include "init/control_server.h"

#include <gtest/gtest.h>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

#include "os/files.h"
#include "os/test_directory.h"

namespace slipway::init {
namespace {

using namespace std::chrono_literals;
namespace control = wire::control;

/// A server that answers `output` requests, and clients in the same thread.
class ControlServerTest : public testing::Test {
 protected:
  ~ControlServerTest() override { server_.reset(); }

  void listen(ControlLimits limits = {}) {
    server_.emplace(
        poller_,
        [this](std::uint16_t, control::Request request,
               const ControlServer::Respond& respond) -> ControlServer::OnGone {
          if (const auto* set = std::get_if<control::Set>(&request)) values_.push_back(set->variable.value);
          if (std::holds_alternative<control::Sandbox>(request)) {
            held_.push_back(respond);
            return [this] { ++gone_; };
          }
          if (std::holds_alternative<control::AskOwner>(request)) {
            held_.push_back(respond);
          } else {
            respond({true, "{}", {}, {}});
          }
          return nullptr;
        },
        limits);
    const Identity self{::getuid(), ::getgid(), "me", "/", -1, false};
    own_ = OwnDirectory::open(directory_.path().string()).value();
    ASSERT_TRUE(server_->listen(0, *own_, "0.sock", self));
  }

  os::Fd connect() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path_.data(), path_.size());
    os::Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    return fd;
  }

  void turn(int times = 50) {
    for (int i = 0; i < times; ++i) poller_.turn(Poller::Wait::poll);
  }

  static std::string request(const std::string& value) {
    return control::frame(
        control::encode(control::Request(control::Set{{wire::payload::OutputVariable::Kind::output, "name", value}})));
  }

  /// What the server answers on `fd`; nothing when it has closed or does not answer.
  std::optional<control::Answer> answer_on(const os::Fd& fd) {
    control::Unframer unframer(control::kMaxAnswer);
    for (const auto until = os::Clock::now() + 5s; os::Clock::now() < until;) {
      turn(1);
      char buffer[4096];
      const ssize_t got = ::recv(fd.get(), buffer, sizeof buffer, MSG_DONTWAIT);
      if (got == 0) return {};
      if (got > 0 && !unframer.feed(std::string_view(buffer, static_cast<std::size_t>(got)))) return {};
      if (const auto text = unframer.next()) return control::decode_answer(*text).value();
    }
    return {};
  }

  bool is_closed(const os::Fd& fd) {
    turn();
    char byte = 0;
    return ::recv(fd.get(), &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0;
  }

  bool serves_a_good_client() {
    const os::Fd good = connect();
    const std::string text = request("good");
    EXPECT_EQ(::send(good.get(), text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
    const auto answer = answer_on(good);
    return answer && answer->ok;
  }

  os::TestDirectory directory_;
  std::string path_ = (directory_ / "0.sock").string();
  std::optional<OwnDirectory> own_;
  Poller poller_;
  std::optional<ControlServer> server_;
  std::vector<std::string> values_;
  std::vector<ControlServer::Respond> held_;
  int gone_ = 0;
};

TEST_F(ControlServerTest, AClientThatGoesBeforeItsAnswerIsToldOfOnce) {
  listen();
  const std::string text = control::frame(control::encode(control::Request(control::Sandbox{{0, {"x"}, {}, {}, {}}})));
  os::Fd leaves = connect();
  const os::Fd stays = connect();
  for (const os::Fd* client : {static_cast<const os::Fd*>(&leaves), &stays})
    ::send(client->get(), text.data(), text.size(), 0);
  turn();
  ASSERT_EQ(held_.size(), 2U);
  EXPECT_EQ(gone_, 0);
  leaves.reset();
  turn();
  EXPECT_EQ(gone_, 1);
  for (const ControlServer::Respond& respond : held_) respond({true, "{}", {}, {}});
  EXPECT_TRUE(answer_on(stays)->ok);
  EXPECT_TRUE(serves_a_good_client());
  EXPECT_EQ(gone_, 1);
}

TEST_F(ControlServerTest, ClientsWhoseCommandsRunTakeNobodysPlace) {
  listen({.connections = 2});
  const std::string command = control::frame(control::encode(control::Request(control::Sandbox{{.argv = {"make"}}})));
  std::vector<os::Fd> waiting;
  for (int i = 0; i < 5; ++i) {
    waiting.push_back(connect());
    ASSERT_TRUE(os::write_all(waiting.back().get(), command));
    turn();
  }
  ASSERT_EQ(held_.size(), 5U);
  const os::Fd other = connect();
  ASSERT_TRUE(os::write_all(other.get(), request("heard")));
  EXPECT_TRUE(answer_on(other));
  EXPECT_EQ(values_, std::vector<std::string>{"heard"});
  for (const auto& respond : held_) respond({true, "{}", {}, {}});
  for (const os::Fd& fd : waiting) EXPECT_TRUE(answer_on(fd));
  const os::Fd last = connect();  // the places of the five are taken until they go
  ASSERT_TRUE(os::write_all(last.get(), request("later")));
  turn();
  EXPECT_EQ(values_.size(), 1U);
  waiting.clear();
  EXPECT_TRUE(answer_on(last));
}

TEST_F(ControlServerTest, TheEndOfAStepIsTheEndOfItsClients) {
  listen();
  const std::string text = control::frame(control::encode(control::Request(control::Sandbox{{0, {"x"}, {}, {}, {}}})));
  const os::Fd client = connect();
  ::send(client.get(), text.data(), text.size(), 0);
  turn();
  server_->close(0);
  EXPECT_EQ(gone_, 1);
}

TEST_F(ControlServerTest, AnswersSeveralRequestsOnOneConnectionInOrder) {
  listen();
  const os::Fd client = connect();
  const std::string text = request("1") + request("2") + request("3");
  ::send(client.get(), text.data(), text.size(), 0);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(answer_on(client)->ok);
  EXPECT_EQ(values_, (std::vector<std::string>{"1", "2", "3"}));
}

TEST_F(ControlServerTest, ARequestMayArriveByteByByte) {
  listen();
  const os::Fd client = connect();
  for (const char c : request("slow")) {
    ::send(client.get(), &c, 1, 0);
    turn(2);
  }
  EXPECT_TRUE(answer_on(client)->ok);
}

TEST_F(ControlServerTest, GarbageIsRefusedAndTheConnectionGoesOn) {
  listen();
  const os::Fd client = connect();
  const std::string text = control::frame("not json") + request("fine");
  ::send(client.get(), text.data(), text.size(), 0);
  const auto refused = answer_on(client);
  ASSERT_TRUE(refused);
  EXPECT_FALSE(refused->ok);
  EXPECT_TRUE(answer_on(client)->ok);
}

TEST_F(ControlServerTest, AHugeLengthEndsTheConnectionAfterTellingWhy) {
  listen();
  const os::Fd client = connect();
  ::send(client.get(), "\xff\xff\xff\x7f", 4, 0);
  const auto refused = answer_on(client);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->kind, ErrorKind::exhausted);
  EXPECT_TRUE(is_closed(client));
  EXPECT_TRUE(serves_a_good_client());
}

TEST_F(ControlServerTest, ClientsThatTakeAllConnectionsAreEndedWhenIdle) {
  listen({.connections = 4, .idle = 20ms});
  std::vector<os::Fd> hostile;
  for (int i = 0; i < 10; ++i) {
    hostile.push_back(connect());
    ::send(hostile.back().get(), "\x10", 1, 0);  // begins a request and never ends it
  }
  EXPECT_TRUE(serves_a_good_client());
}

TEST_F(ControlServerTest, SilentConnectionsGiveTheirPlaceToOneThatSpeaks) {
  listen({.connections = 4, .idle_when_full = 20ms});
  std::vector<os::Fd> silent;
  for (int i = 0; i < 40; ++i) silent.push_back(connect());
  EXPECT_TRUE(serves_a_good_client());
}

TEST_F(ControlServerTest, AClientThatWaitsForItsAnswerKeepsItsPlace) {
  listen({.connections = 2, .idle_when_full = 1ms});
  const os::Fd waiting = connect();
  const std::string text = control::frame(control::encode(control::Request(control::AskOwner{"git_info", "{}"})));
  ::send(waiting.get(), text.data(), text.size(), 0);
  turn();
  ASSERT_EQ(held_.size(), 1U);
  std::vector<os::Fd> silent;
  for (int i = 0; i < 10; ++i) silent.push_back(connect());
  EXPECT_TRUE(serves_a_good_client());
  held_[0]({true, "{}", {}, {}});
  EXPECT_TRUE(answer_on(waiting));
}

TEST_F(ControlServerTest, ARequestThatComesByteByByteForEverIsGivenUp) {
  listen({.idle = 50ms});
  const os::Fd client = connect();
  const std::string text = request(std::string(60'000, 'x'));
  const auto until = os::Clock::now() + 5s;
  std::size_t sent = 0;
  while (sent < text.size() && !is_closed(client) && os::Clock::now() < until) {
    ::send(client.get(), text.data() + sent++, 1, MSG_NOSIGNAL);
  }
  EXPECT_TRUE(is_closed(client));
  EXPECT_LT(sent, text.size());
}

TEST_F(ControlServerTest, AClientThatTakesNoAnswersIsNotReadFurther) {
  listen();
  const os::Fd client = connect();
  const std::string text = request("x");
  std::size_t sent = 0;
  for (int i = 0; i < 200'000; ++i) {
    const ssize_t got = ::send(client.get(), text.data(), text.size(), MSG_DONTWAIT);
    if (got != static_cast<ssize_t>(text.size())) break;
    ++sent;
    turn(1);
  }
  EXPECT_LT(sent, 200'000U) << "its requests are held up once its answers are";
  EXPECT_TRUE(serves_a_good_client()) << "slowly: the step's rate is used up";
}

TEST_F(ControlServerTest, TooManyRequestsAreSlowedDown) {
  listen({.requests_per_second = 1000, .burst = 5});
  const os::Fd client = connect();
  std::string text;
  for (int i = 0; i < 20; ++i) text += request("x");
  ::send(client.get(), text.data(), text.size(), 0);
  turn(20);
  EXPECT_LT(values_.size(), 20U);
  const auto until = os::Clock::now() + 5s;
  while (values_.size() < 20 && os::Clock::now() < until) poller_.turn();
  EXPECT_EQ(values_.size(), 20U);
}

TEST_F(ControlServerTest, AStepThatSendsTooMuchIsRefused) {
  listen({.bytes = 1000});
  const os::Fd client = connect();
  const std::string text = request(std::string(2000, 'x'));
  ::send(client.get(), text.data(), text.size(), 0);
  const auto refused = answer_on(client);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->kind, ErrorKind::exhausted);
}

TEST_F(ControlServerTest, AnAnswerForAClientThatHasGoneIsDropped) {
  listen();
  {
    const os::Fd client = connect();
    const std::string text = control::frame(control::encode(control::Request(control::AskOwner{"git_info", "{}"})));
    ::send(client.get(), text.data(), text.size(), 0);
    turn();
  }
  ASSERT_EQ(held_.size(), 1U);
  held_[0]({true, "{}", {}, {}});
  turn();
  EXPECT_TRUE(serves_a_good_client());
  server_.reset();
  held_[0]({true, "{}", {}, {}});
}

TEST_F(ControlServerTest, ClosingAListenerEndsItsConnections) {
  listen();
  const os::Fd client = connect();
  turn();
  server_->close(0);
  EXPECT_TRUE(is_closed(client));
  EXPECT_NE(::access(path_.c_str(), F_OK), 0);
}

TEST_F(ControlServerTest, AStrangersConnectionIsClosedUnheard) {
  listen();
  const Identity somebody{::getuid() + 1, ::getgid(), "other", "/", -1, false};
  ASSERT_TRUE(server_->listen(0, *own_, "0.sock", somebody));
  if (::chmod(path_.c_str(), 0666) != 0) GTEST_SKIP() << "cannot open the socket to everyone";
  const os::Fd client = connect();
  EXPECT_TRUE(is_closed(client));
}

}  // namespace
}  // namespace slipway::init
