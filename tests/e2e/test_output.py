"""What a person reads when slipway is piped."""


def test_piped_output_is_plain_prefixed_lines_and_a_summary(slipway):
    file = slipway.project.job(steps=[("build", "echo building"), ("unit", "echo 'boom: the reason' >&2; exit 4")])
    ran = slipway("run", file).expect(1)
    assert any(line.startswith("job") and line.endswith("building") for line in ran.out.splitlines()), ran
    summary = ran.out[-2000:] + ran.err
    assert "failed" in summary and "unit" in summary and "boom: the reason" in summary
    assert "\033" not in ran.out


def test_only_colours_of_a_job_reach_the_terminal(slipway):
    file = slipway.project.job(run=r"printf '\033[31mred\033[0m \033]0;title\007 \033[2J \033P1$r\033\\ end\n'")
    ran = slipway("run", file, "--color", "always").expect(0)
    assert "\033]" not in ran.out and "\033[2J" not in ran.out and "\033P" not in ran.out
    assert "red" in ran.out and "end" in ran.out


def test_a_line_without_an_end_and_a_long_line_are_kept(slipway):
    ran = slipway.run(slipway.project.job(run="head -c 300000 /dev/zero | tr '\\0' x; printf 'no newline'")).expect(0)
    lines = ran.output().replace("\n", "")  # a line over 64 KiB comes in parts
    assert lines == "x" * 300000 + "no newline"


def test_quiet_shows_only_what_went_wrong(slipway):
    assert slipway("run", "--quiet", slipway.project.job(run="echo noise")).expect(0).out == ""
    ran = slipway("run", "--quiet", slipway.project.job(run="echo the-reason; exit 1")).expect(1)
    assert "job" in ran.out + ran.err


def test_a_group_of_the_command_stands_behind_what_was_printed_before_it(slipway):
    """The request comes by a socket and the lines by a pipe: the quicker one must not win."""
    script = "for i in 1 2 3 4 5; do echo before $i; slipway group start G$i; echo inside $i; slipway group end; done"
    run = slipway.run(slipway.project.job(run=script)).expect(0).finished["run"]
    lines = slipway("logs", run, "job", "--step", "run").expect(0).out.splitlines()
    assert lines == [line for i in range(1, 6) for line in (f"before {i}", f"▸ G{i}", f"inside {i}")]


def test_an_error_stands_behind_what_led_to_it(slipway):
    """The two streams are two pipes, and one that was just read rests: the other must not overtake it meanwhile."""
    script = r"$| = 1; for my $n (1..30) { print qq(one $n\n); select undef, undef, undef, 0.002; print qq(two $n\n); print STDERR qq(oops $n\n); select undef, undef, undef, 0.013 }"
    ran = slipway.run(slipway.project.job(run=f"perl -e '{script}'")).expect(0)
    lines = ran.output().splitlines()
    assert [line for line in lines if not line.startswith("one")] == [f"{word} {n}" for n in range(1, 31) for word in ("two", "oops")], lines
