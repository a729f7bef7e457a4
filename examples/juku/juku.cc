// A learning service's application database: `juku load` makes it, `juku live` keeps it alive.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>

#include "base/clock.h"
#include "juku/calendar.h"
#include "juku/live.h"
#include "juku/load.h"

namespace {

// "2026-11-23T05:06:07Z" or "2026-11-23"; 0 if it is neither.
biwa::Micros ParseTime(const std::string& text) {
    int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
    int used = 0;
    const auto matches = [&](const char* pattern, int fields) {
        used = 0;
        return std::sscanf(text.c_str(), pattern, &year, &month, &day, &hour, &minute, &second,
                           &used) >= fields &&
               used == static_cast<int>(text.size());
    };
    if (!matches("%4d-%2d-%2dT%2d:%2d:%2dZ%n", 6)) {
        hour = minute = second = 0;
        if (std::sscanf(text.c_str(), "%4d-%2d-%2d%n", &year, &month, &day, &used) != 3 ||
            used != static_cast<int>(text.size())) {
            return 0;
        }
    }
    const std::chrono::year_month_day date = std::chrono::year{year} /
                                             std::chrono::month{static_cast<unsigned>(month)} /
                                             std::chrono::day{static_cast<unsigned>(day)};
    if (!date.ok() || hour > 23 || minute > 59 || second > 59) return 0;
    const auto days = std::chrono::sys_days{date}.time_since_epoch().count();
    return days * juku::kDay + hour * juku::kHour + (minute * 60 + second) * juku::kSecond;
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app("Juku, a learning service: an application database to try Biwa with.");
    app.require_subcommand(1);
    constexpr const char* kUrlHelp =
        "postgres://user:password@host:port/database; without it PGHOST, PGPORT, PGUSER, "
        "PGPASSWORD "
        "and PGDATABASE count, and the database is juku";

    juku::LoadOptions load_options;
    std::string until;
    auto* load = app.add_subcommand("load", "Make the schema and load a history of study.");
    load->add_option("--answers", load_options.history.answers, "How many answers")
        ->check(CLI::Range(std::int64_t{1000}, std::int64_t{1'000'000'000}))
        ->capture_default_str();
    load->add_option("--seed", load_options.history.seed, "The same seed and time, the same data")
        ->capture_default_str();
    load->add_option("--days", load_options.history.days, "Days that the history spans")
        ->check(CLI::Range(7, 3650))
        ->capture_default_str();
    load->add_option("--until", until, "When the history ends, as 2026-11-23T09:00:00Z (now)");
    load->add_flag("--replace", load_options.replace, "Drop what an earlier load has made");
    load->add_option("--url", load_options.url, kUrlHelp);

    juku::LiveOptions live_options;
    auto* live = app.add_subcommand("live", "Let pupils go on studying, until Ctrl-C.");
    live->add_option("--rate", live_options.rate, "Writing statements a second")
        ->check(CLI::Range(0.1, 100'000.0))
        ->capture_default_str();
    live->add_option("--seconds", live_options.seconds, "Stop after so long (never)")
        ->check(CLI::PositiveNumber);
    live->add_option("--seed", live_options.seed, "For the same decisions again (from the clock)");
    live->add_option("--url", live_options.url, kUrlHelp);

    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 64;
    }
    // Whole seconds: so a time can be given again by --until.
    load_options.history.until = until.empty()
                                     ? biwa::SystemClock().Now() / juku::kSecond * juku::kSecond
                                     : ParseTime(until);
    if (load_options.history.until <= 0) {
        fmt::print(stderr, "juku: --until {}: no such time; write it as 2026-11-23T09:00:00Z\n",
                   until);
        return 64;
    }

    const biwa::Status done = *load ? juku::Load(load_options) : juku::Live(live_options);
    if (!done) {
        fmt::print(stderr, "juku: {}\n", done.error().ToString());
        return 1;
    }
    return 0;
}
