"""The pytest plugin, as a user's own test suite sees it."""

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
