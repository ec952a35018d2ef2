"""git over ssh and https, from the real servers: sshd, and git's own http-backend behind TLS and a password."""
import base64
import json
import os
import shutil
import ssl
import subprocess
from http.server import CGIHTTPRequestHandler, ThreadingHTTPServer

import pytest
from harness import Project
from servers import Server, Serving, free_port, needs

PASSWORD = "p4ssword-of-the-git-server"
SHOW = "cat file; git log -1 --format=%s; env; cat .git/config"


@pytest.fixture
def remote(tmp_path):
    """A bare repository with two commits, a tag, and a pull request that is on no branch."""
    project = Project(tmp_path / "made")
    project.write("file", "one\n")
    project.commit("first")
    project.git("tag", "v1")
    project.write("file", "two\n")
    project.commit("second")
    project.git("checkout", "-q", "-b", "proposal")
    project.write("file", "proposed\n")
    project.commit("third")
    bare = tmp_path / "srv/remote.git"
    subprocess.run(["git", "clone", "-q", "--bare", project.path, bare], check=True)
    for command in (["update-ref", "refs/pull/7/head", "proposal"], ["update-ref", "-d", "refs/heads/proposal"], ["symbolic-ref", "HEAD", "refs/heads/main"],
                    ["config", "http.receivepack", "false"]):
        subprocess.run(["git", "-C", bare, *command], check=True)
    return bare


def expect_all(slipway, url, env=None):
    for ref, text, subject in (("main", "two", "second"), ("v1", "one", "first"), ("refs/pull/7/head", "proposed", "third"), ("pull/7/head", "proposed", "third"),
                               ("main", "two", "second")):
        job = slipway.project.write("show.yaml", json.dumps({"job": {"name": "show", "image": "host", "network": "none", "run": SHOW}}))
        ran = slipway.run("--source-url", url, "--source-ref", ref, str(job), env=env).expect(0)
        assert ran.output().startswith(f"{text}\n{subject}\n")
        assert PASSWORD not in ran.out + ran.err


@pytest.fixture
def ssh(tmp_path):
    """An sshd of the test's own, and the command to reach it."""
    sshd = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin")
    if not sshd or os.geteuid() != 0:
        pytest.skip("needs sshd (tools/install test) and root to start it")
    os.makedirs("/run/sshd", exist_ok=True)
    keys = tmp_path / "keys"
    keys.mkdir(mode=0o700)
    for name in ("host", "user", "stranger"):
        subprocess.run([needs("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", keys / name], check=True)
    shutil.copy(keys / "user.pub", keys / "authorized")
    port = free_port()
    (keys / "sshd_config").write_text(f"Port {port}\nListenAddress 127.0.0.1\nHostKey {keys}/host\nAuthorizedKeysFile {keys}/authorized\nStrictModes no\n"
                                      f"UsePAM no\nPidFile none\nPasswordAuthentication no\nPermitRootLogin prohibit-password\n")
    (keys / "known").write_text(f"[127.0.0.1]:{port} {(keys / 'host.pub').read_text()}")
    command = f"ssh -F none -o UserKnownHostsFile={keys}/known -o IdentitiesOnly=yes -i {keys}/"
    with Server([sshd, "-D", "-e", "-f", str(keys / "sshd_config")], port) as server:
        yield server, command


def test_git_over_ssh(slipway, remote, ssh):
    server, command = ssh
    url = f"ssh://root@127.0.0.1:{server.port}{remote}"
    expect_all(slipway, url, {"GIT_SSH_COMMAND": command + "user"})
    refused = slipway.run("--git-url", url.replace("remote.git", "other.git"), "--git-ref", "main", "--image", "host", "--job-command", "true",
                          env={"GIT_SSH_COMMAND": command + "stranger"}).expect(4)
    assert "Permission denied" in str(refused)


class TlsServer(ThreadingHTTPServer):
    def shutdown_request(self, request):
        try:
            request = request.unwrap()  # says that this is the end, without which it might be anyone's
        except OSError:
            pass
        super().shutdown_request(request)


class GitServer(Serving):
    """https://127.0.0.1:PORT/cgi-bin/git/NAME for those who know the password."""

    def __init__(self, root, place):
        scripts = place / "cgi-bin"
        scripts.mkdir(parents=True)
        (scripts / "git").write_text(f"#!/bin/sh\nGIT_PROJECT_ROOT='{root}' GIT_HTTP_EXPORT_ALL=1 exec git http-backend\n")
        (scripts / "git").chmod(0o755)
        self.certificate = place / "certificate.pem"
        subprocess.run([needs("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext",
                        "subjectAltName=IP:127.0.0.1", "-keyout", place / "key.pem", "-out", self.certificate], check=True, capture_output=True)
        self.tokens = tokens = []  # that came with requests
        login = "Basic " + base64.b64encode(f"ada:{PASSWORD}".encode()).decode()

        class Handler(CGIHTTPRequestHandler):
            have_fork = False  # a thread a request: they come at once

            def log_message(self, *_):
                pass

            def is_cgi(self):
                if self.headers.get("Authorization") == login:
                    return super().is_cgi()
                return False

            def send_head(self):
                tokens.append(self.headers.get("X-Token"))
                if self.headers.get("Authorization") == login:
                    return super().send_head()
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="git"')
                self.send_header("Content-Length", "0")
                self.end_headers()
                return None

            def do_POST(self):
                return super().do_POST() if self.is_cgi() else self.send_head()

            def translate_path(self, path):
                return str(place) + path.split("?")[0]

        self.server = TlsServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, place / "key.pem")
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.base = f"https://127.0.0.1:{self.server.server_port}"


def test_git_over_https_with_the_users_credential_helper_and_authority(slipway, remote, tmp_path):
    with GitServer(remote.parent, tmp_path / "web") as server:
        url = f"{server.base}/cgi-bin/git/remote.git"
        unknown = slipway.run("--git-url", url, "--git-ref", "main", "--image", "host", "--job-command", "true")
        assert unknown.code != 0 and "certificate" in str(unknown)
        settings = slipway.home / ".gitconfig"
        settings.write_text(f"[http \"{server.base}/\"]\n\tsslCAInfo = {server.certificate}\n")
        denied = slipway.run("--git-url", url, "--git-ref", "main", "--image", "host", "--job-command", "true").expect(4)
        assert "git" in str(denied)
        store = slipway.home / "credentials"
        store.write_text(f"{server.base.replace('https://', f'https://ada:{PASSWORD}@')}\n")
        settings.write_text(settings.read_text() + f"[credential]\n\thelper = store --file {store}\n")
        expect_all(slipway, url)
        settings.write_text(f"[http \"{server.base}/\"]\n\tsslCAInfo = {server.certificate}\n")
        shutil.rmtree(slipway.state / "source")
        expect_all(slipway, url.replace("https://", f"https://ada:{PASSWORD}@"))
        for path in slipway.state.rglob("*"):
            if path.is_file():
                assert PASSWORD.encode() not in path.read_bytes(), path


def with_submodule(place, url, commit):
    project = Project(place)
    project.write("file", "of the source\n")
    project.write(".gitmodules", f'[submodule "sub"]\n\tpath = sub\n\turl = {url}\n')
    (project.path / "sub").mkdir()
    project.git("update-index", "--add", "--cacheinfo", f"160000,{commit},sub")
    project.commit()
    return project.path


def test_what_a_repository_names_gets_no_other_hosts_token_and_a_forks_no_login(slipway, tmp_path):
    """A token that is set for one host goes to no other; and a fork's commit cannot name what only its reader may fetch."""
    made, served = tmp_path / "made", tmp_path / "srv"
    private = Project(made / "private")
    private.write("content", "PRIVATE CONTENT\n")
    commit = private.commit()
    with GitServer(served, tmp_path / "web") as server, GitServer(served, tmp_path / "other") as other:
        for name, path in (("private", private.path), ("near", with_submodule(made / "near", f"{server.base}/cgi-bin/git/private.git", commit)),
                           ("far", with_submodule(made / "far", f"{other.base}/cgi-bin/git/private.git", commit))):
            subprocess.run(["git", "clone", "-q", "--bare", path, served / f"{name}.git"], check=True)
        authorities, store = slipway.home / "authorities", slipway.home / "credentials"
        authorities.write_text(server.certificate.read_text() + other.certificate.read_text())
        store.write_text("".join(f"{one.base.replace('https://', f'https://ada:{PASSWORD}@')}\n" for one in (server, other)))
        (slipway.home / ".gitconfig").write_text(f"[credential]\n\thelper = store --file {store}\n[http]\n\tsslCAInfo = {authorities}\n"
                                                 f"[http \"{server.base}/\"]\n\textraheader = X-Token: of-server\n")
        job = slipway.project.write("job.yaml", "job: {name: look, image: host, network: none, retry: {attempts: 0}, checkout: {submodules: true}, run: cat file sub/content}\n")
        event = tmp_path / "fork.json"
        event.write_text(json.dumps({"event": "pull_request", "pr": {"number": 7, "title": "t", "head": "f", "base": "main", "fork": True}}))

        def run(name, *more):
            return slipway.run("--source-url", f"{server.base}/cgi-bin/git/{name}.git", str(job), *more)

        assert run("near").expect(0).output() == "of the source\nPRIVATE CONTENT\n"
        assert "of-server" in server.tokens
        refused = run("near", "--event-file", event).expect(2)
        assert "PRIVATE" not in refused.out and "could not read Username" in str(refused)
        run("far").expect(2)
        assert other.tokens and set(other.tokens) == {None}
