"""The pytest plugin, as a user's own test suite sees it."""

import os
import subprocess

import pytest

pytest_plugins = ["pytester"]


def test_fixtures_come_with_the_package(pytester):
    pytester.makepyfile(
        """
        def test_client(redisai_client):
            assert redisai_client.execute_command(
                "AI.TENSORSET", "x", "FLOAT", 1, "VALUES", 2) in (b"OK", "OK")

        def test_it_is_empty_again(redisai_client, redisai_server):
            assert redisai_client.dbsize() == 0
            assert redisai_server.is_alive()
        """
    )
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(passed=2)


def test_a_failure_shows_the_server_s_log(pytester):
    pytester.makepyfile(
        """
        def test_fails(redisai_server):
            assert False
        """
    )
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*log of * on port *", "*Ready to accept connections*"])


# The least that a server takes for a module, with one command.
MODULE = r"""
typedef struct Context Context;
static int (*reply)(Context *, const char *);

static int greet(Context *context, void **arguments, int count) {
    return reply(context, "hello");
}

int RedisModule_OnLoad(Context *context, void **arguments, int count) {
    int (*find)(const char *, void *) = *(int (**)(const char *, void *))context;
    void (*name)(Context *, const char *, int, int);
    int (*command)(Context *, const char *, void *, const char *, int, int, int);
    find("RedisModule_SetModuleAttribs", &name);
    find("RedisModule_CreateCommand", &command);
    find("RedisModule_ReplyWithSimpleString", &reply);
    name(context, "greeter", 1, 1);
    return command(context, "greeter.greet", greet, "readonly", 0, 0, 0);
}
"""
CONFTEST = """
import pathlib, pytest

@pytest.fixture(scope="session")
def redisai_module():
    return pathlib.Path(__file__).with_name("greeter.so")
"""


@pytest.fixture
def project(pytester):
    """A project outside the tree with a module of its own."""
    source = pytester.path / "greeter.c"
    source.write_text(MODULE)
    compiler = os.environ.get("CC", "cc")
    subprocess.run([compiler, "-shared", "-fPIC", source, "-o", "greeter.so"], check=True)
    pytester.makeconftest(CONFTEST)
    return pytester


def test_the_fixtures_serve_a_module_of_the_user_s_own(project):
    project.makepyfile(
        """
        from redisai_rs.testing import Server, wait_until

        def test_fixtures(redisai_client, redisai_server):
            assert redisai_client.execute_command("GREETER.GREET") in (b"hello", "hello")
            assert [m[b"name"] for m in redisai_client.module_list()] == [b"greeter"]

        def test_a_server_and_a_replica(redisai_module):
            with Server(module=redisai_module) as server, server.replica() as replica:
                replica.wait_for_sync()
                server.execute("SET", "x", 1)
                wait_until(lambda: replica.execute("GET", "x") == b"1", "the key")
                assert replica.execute("GREETER.GREET") == b"hello"
        """
    )
    project.runpytest_subprocess().assert_outcomes(passed=2)
