// When a service counts as ready: by a port, an address, a command, its output.
#include "init/readiness.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <gtest/gtest.h>

#include "init/test_job.h"

namespace slipway::init {
namespace {

using namespace std::chrono_literals;

model::Readiness within(Duration limit) {
  model::Readiness ready;
  ready.within = limit;
  return ready;
}

// The step waits to be told that it is ready, as a service is used only then.
Outcome serve(const std::string& script, const model::Readiness& ready) {
  TestJob job;
  job.ready = ready;
  job.when_ready = [&job] { job.send(wire::Cancel{wire::Cancel::Why::by_user, true, {}}); };
  job.add(script);
  return job.run();
}

TEST(Readiness, WithoutConditionsAServiceIsReadyOnceItRuns) {
  EXPECT_EQ(serve("sleep 60", within(5s)).report.outcome, model::Outcome::cancelled);
}

TEST(Readiness, ATextOfTheOutputIsFoundAcrossReads) {
  model::Readiness ready = within(5s);
  ready.log = "ready to accept";
  EXPECT_EQ(
      serve("printf 'almost: ready to'; sleep 0.05; printf ' accept connections'; sleep 60", ready).report.outcome,
      model::Outcome::cancelled);
}

TEST(Readiness, ACommandIsTriedUntilItSucceeds) {
  model::Readiness ready = within(5s);
  ready.command = {"test", "-e", "up"};
  EXPECT_EQ(serve("sleep 0.05; touch up; sleep 60", ready).report.outcome, model::Outcome::cancelled);
}

// One that nobody listens on, most likely for the next moment too.
int free_port() {
  const os::Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  EXPECT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), size), 0);
  EXPECT_EQ(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  return ntohs(address.sin_port);
}

TEST(Readiness, APortThatAcceptsAndAnAddressThatAnswers) {
  const std::string port = std::to_string(free_port());
  const std::string server =
      "exec python3 -c 'import http.server as h, sys\n"
      "class Q(h.BaseHTTPRequestHandler):\n"
      "  n=0\n"
      "  def do_GET(self): Q.n+=1; self.send_response(503 if Q.n < 3 else 204); self.end_headers()\n"
      "h.HTTPServer((\"0.0.0.0\",int(sys.argv[1])),Q).serve_forever()' " +
      port;
  model::Readiness ready = within(10s);
  ready.tcp = std::stoi(port);
  ready.http = "http://localhost:" + port + "/health";
  const Outcome outcome = serve(server, ready);
  EXPECT_EQ(outcome.report.outcome, model::Outcome::cancelled);
  EXPECT_NE(outcome.output(0, journal::RecordType::output_stderr).find("204"), std::string::npos);
}

TEST(Readiness, OneThatTakesTooLongIsEndedAndSaysWhatWasMissing) {
  model::Readiness ready = within(100ms);
  ready.log = "never";
  const Outcome outcome = serve("echo up; sleep 60", ready);
  EXPECT_EQ(outcome.report.outcome, model::Outcome::timed_out);
  EXPECT_EQ(outcome.report.reason, "not ready within 100 ms: it has not printed `never`");
}

TEST(Readiness, OneThatEndsBeforeSaysHow) {
  model::Readiness ready = within(5s);
  ready.log = "never";
  const Outcome outcome = serve("exit 3", ready);
  EXPECT_EQ(outcome.report.outcome, model::Outcome::failed);
  EXPECT_EQ(outcome.report.exit_code, 3);
}

}  // namespace
}  // namespace slipway::init
