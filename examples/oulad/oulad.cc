// The Open University Learning Analytics Dataset in PostgreSQL: `oulad load` fills the tables,
// `oulad replay` hands in the submissions one by one.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdlib>

#include "oulad/load.h"
#include "oulad/replay.h"

int main(int argc, char** argv) {
    CLI::App app("The Open University Learning Analytics Dataset, to try Biwa with.");
    app.require_subcommand(1);
    constexpr const char* kUrlHelp =
        "postgres://user:password@host:port/database; without it PGHOST, PGPORT, PGUSER, "
        "PGPASSWORD "
        "and PGDATABASE count, and the database is oulad";
    std::string url, data, rate = "2000";
    bool without_submissions = false, replace = false;

    auto* load = app.add_subcommand("load", "Make the schema and load the CSV files.");
    load->add_flag("--without-submissions", without_submissions,
                   "Leave student_assessment empty, for a replay");
    load->add_flag("--replace", replace, "Drop what an earlier load has made");
    auto* replay = app.add_subcommand("replay", "Hand in the submissions in their order.");
    replay->add_option("--rate", rate, "Statements a second, or max")
        ->check([](const std::string& text) -> std::string {
            char* end = nullptr;
            const double value = std::strtod(text.c_str(), &end);
            if (text == "max" || (*end == '\0' && value > 0 && value <= 1e6)) return "";
            return "a number of statements a second, or max";
        })
        ->capture_default_str();
    for (auto* command : {load, replay}) {
        command->add_option("--url", url, kUrlHelp);
        command->add_option("--data", data, "The folder of the CSV files")
            ->envname("BIWA_OULAD")
            ->required()
            ->check(CLI::ExistingDirectory);
    }

    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 64;
    }
    const biwa::Status done =
        *load ? oulad::Load({url, data, !without_submissions, replace})
              : oulad::Replay({url, data, rate == "max" ? 0 : std::strtod(rate.c_str(), nullptr)});
    if (!done) {
        biwa::Error error = done.error();
        if (*replay && error.kind == biwa::ErrorKind::kUnavailable && error.hint.empty()) {
            error.hint = "Give the same command again when the server is there: it goes on.";
        }
        fmt::print(stderr, "oulad: {}\n", error.ToString());
        return 1;
    }
    return 0;
}
