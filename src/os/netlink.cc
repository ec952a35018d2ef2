#include "os/netlink.h"

#include <arpa/inet.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

namespace slipway::os {

namespace {

// A request being written: header, body, then attributes, each padded to four bytes.
class Request {
 public:
  template <class Body>
  Request(std::uint16_t type, std::uint16_t flags, const Body& body) {
    nlmsghdr header{};
    header.nlmsg_type = type;
    header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | NLM_F_ACK | flags);
    append(&header, sizeof header);
    append(&body, sizeof body);
  }

  void add(std::uint16_t type, const void* value, std::size_t size) {
    const std::size_t start = open(type);
    append(value, size);
    close(start);
  }
  void add(std::uint16_t type, const std::string& text) { add(type, text.c_str(), text.size() + 1); }
  void add_address(std::uint16_t type, std::uint32_t address) {
    const std::uint32_t on_wire = htonl(address);
    add(type, &on_wire, sizeof on_wire);
  }

  // Attributes between `open` and `close` lie inside that one.
  std::size_t open(std::uint16_t type) {
    const std::size_t start = bytes_.size();
    const rtattr attribute{0, type};
    append(&attribute, sizeof attribute);
    return start;
  }
  void close(std::size_t start) {
    const auto length = static_cast<std::uint16_t>(bytes_.size() - start - padding_);
    std::memcpy(bytes_.data() + start, &length, sizeof length);
  }
  template <class Body>
  void append_body(const Body& body) {
    append(&body, sizeof body);
  }

  std::string& finish() {
    const auto length = static_cast<std::uint32_t>(bytes_.size());
    std::memcpy(bytes_.data(), &length, sizeof length);
    return bytes_;
  }

 private:
  void append(const void* value, std::size_t size) {
    bytes_.append(static_cast<const char*>(value), size);
    padding_ = (4 - bytes_.size() % 4) % 4;
    bytes_.append(padding_, '\0');
  }
  std::string bytes_;
  std::size_t padding_ = 0;  // of what was appended last: an attribute's length leaves it out
};

// To what is sent to these addresses; `how` says what happens with it.
Request route_request(std::uint16_t flags, std::uint8_t how, std::uint32_t first_address, std::uint8_t prefix_bits) {
  rtmsg body{};
  body.rtm_family = AF_INET;
  body.rtm_dst_len = prefix_bits;
  body.rtm_table = RT_TABLE_MAIN;
  body.rtm_protocol = RTPROT_BOOT;
  body.rtm_scope = RT_SCOPE_UNIVERSE;
  body.rtm_type = how;
  Request request(RTM_NEWROUTE, static_cast<std::uint16_t>(NLM_F_CREATE | flags), body);
  if (prefix_bits > 0) request.add_address(RTA_DST, first_address);
  return request;
}

}  // namespace

Result<RouteSocket> RouteSocket::open() {
  Fd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!socket) return fail_errno(errno, "opening a netlink socket");
  return RouteSocket(std::move(socket));
}

Result<void> RouteSocket::transact(std::string& request) {
  if (::send(socket_.get(), request.data(), request.size(), 0) < 0) return fail_errno(errno, "netlink send");
  alignas(nlmsghdr) char buffer[8192];
  for (;;) {
    const ssize_t got = ::recv(socket_.get(), buffer, sizeof buffer, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(errno, "netlink receive");
    nlmsghdr header{};
    if (static_cast<std::size_t>(got) < sizeof header + sizeof(int))
      return fail(ErrorKind::internal, "a short netlink answer");
    std::memcpy(&header, buffer, sizeof header);
    if (header.nlmsg_type != NLMSG_ERROR) continue;
    int error = 0;
    std::memcpy(&error, buffer + sizeof header, sizeof error);
    if (error != 0) return fail_errno(-error, "netlink");
    return {};
  }
}

Result<void> RouteSocket::make_pair(const std::string& name, const std::string& peer_name, int peer_namespace) {
  Request request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, ifinfomsg{});
  request.add(IFLA_IFNAME, name);
  const std::size_t info = request.open(IFLA_LINKINFO);
  request.add(IFLA_INFO_KIND, "veth");
  const std::size_t data = request.open(IFLA_INFO_DATA);
  const std::size_t peer = request.open(VETH_INFO_PEER);
  request.append_body(ifinfomsg{});
  request.add(IFLA_IFNAME, peer_name);
  request.add(IFLA_NET_NS_FD, &peer_namespace, sizeof peer_namespace);
  request.close(peer);
  request.close(data);
  request.close(info);
  if (auto made = transact(request.finish()); !made) return wrap(made.error(), "making the link " + name);
  return {};
}

Result<std::uint32_t> RouteSocket::index_of(const std::string& link) {
  // Asked on this socket: an ioctl would answer for the namespace that the process is in now.
  Request request(RTM_GETLINK, 0, ifinfomsg{});
  request.add(IFLA_IFNAME, link);
  std::string& text = request.finish();
  const std::uint16_t no_ack = NLM_F_REQUEST;
  std::memcpy(text.data() + offsetof(nlmsghdr, nlmsg_flags), &no_ack, sizeof no_ack);
  if (::send(socket_.get(), text.data(), text.size(), 0) < 0) return fail_errno(errno, "netlink send");
  alignas(nlmsghdr) char buffer[8192];
  const ssize_t got = ::recv(socket_.get(), buffer, sizeof buffer, MSG_TRUNC);
  if (got < 0) return fail_errno(errno, "netlink receive");
  nlmsghdr header{};
  ifinfomsg info{};
  if (static_cast<std::size_t>(got) < sizeof header + sizeof info)
    return fail(ErrorKind::internal, "a short netlink answer");
  std::memcpy(&header, buffer, sizeof header);
  if (header.nlmsg_type != RTM_NEWLINK) return fail(ErrorKind::not_found, "no link " + link);
  std::memcpy(&info, buffer + sizeof header, sizeof info);
  return static_cast<std::uint32_t>(info.ifi_index);
}

Result<void> RouteSocket::add_address(const std::string& link, std::uint32_t address, std::uint8_t prefix_bits) {
  SW_TRY(const std::uint32_t index, index_of(link));
  ifaddrmsg body{};
  body.ifa_family = AF_INET;
  body.ifa_prefixlen = prefix_bits;
  body.ifa_index = index;
  Request request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, body);
  request.add_address(IFA_LOCAL, address);
  request.add_address(IFA_ADDRESS, address);
  if (auto done = transact(request.finish()); !done) return wrap(done.error(), "an address for " + link);
  return {};
}

Result<void> RouteSocket::raise(const std::string& link) {
  ifinfomsg body{};
  body.ifi_flags = IFF_UP;
  body.ifi_change = IFF_UP;
  Request request(RTM_NEWLINK, 0, body);
  request.add(IFLA_IFNAME, link);
  if (auto done = transact(request.finish()); !done) return wrap(done.error(), "raising " + link);
  return {};
}

Result<void> RouteSocket::add_route(std::uint32_t network, std::uint8_t prefix_bits, std::uint32_t gateway) {
  Request request = route_request(NLM_F_EXCL, RTN_UNICAST, network, prefix_bits);
  request.add_address(RTA_GATEWAY, gateway);
  if (auto done = transact(request.finish()); !done) return wrap(done.error(), "a route");
  return {};
}

Result<void> RouteSocket::close_route(std::uint32_t first_address, std::uint8_t prefix_bits) {
  Request request = route_request(NLM_F_REPLACE, RTN_UNREACHABLE, first_address, prefix_bits);
  if (auto done = transact(request.finish()); !done) return wrap(done.error(), "closing a route");
  return {};
}

}  // namespace slipway::os
