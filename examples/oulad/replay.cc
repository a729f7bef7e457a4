#include "oulad/replay.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <queue>
#include <unordered_map>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "database/database.h"
#include "database/pace.h"

namespace oulad {

using biwa::Result;
using biwa::Status;
using biwa::UserError;
using biwa::examples::Database;
using biwa::examples::Pace;
using biwa::examples::Parameter;
using biwa::examples::PreparedCall;

namespace {

std::int64_t Key(std::int32_t id_assessment, std::int32_t id_student) {
    return static_cast<std::int64_t>(id_assessment) << 32 | static_cast<std::uint32_t>(id_student);
}

// Well mixed bits of a key (the finalizer of MurmurHash3), for delays that look like chance and are
// the same each time.
std::uint64_t Mix(std::int64_t key) {
    auto z = static_cast<std::uint64_t>(key);
    z = (z ^ (z >> 33)) * 0xFF51AFD7ED558CCDu;
    z = (z ^ (z >> 33)) * 0xC4CEB9FE1A85EC53u;
    return z ^ (z >> 33);
}

// Sorts by the day of the calendar on which each was handed in; equal ones keep the file's order.
Status SortByCalendar(Database& database, std::vector<Submission>& submissions) {
    std::unordered_map<std::int64_t, std::int32_t> starts;
    const auto rows =
        BIWA_TRY(database.Execute("SELECT id_assessment, code_presentation FROM assessments"));
    for (int i = 0; i < rows.size(); ++i) {
        const auto start = PresentationStart(rows.Text(i, 1));
        if (!start) {
            return UserError(
                fmt::format("assessment {} is of presentation \"{}\", which names no "
                            "start such as 2013B or 2013J",
                            rows.Text(i, 0), rows.Text(i, 1)));
        }
        starts[rows.Int(i, 0)] = *start;
    }
    for (const auto& row : submissions) {
        if (!starts.contains(row.id_assessment)) {
            return UserError(fmt::format("assessment {} of a submission is not in the database",
                                         row.id_assessment),
                             "Run oulad load --without-submissions with the same data first.");
        }
    }
    std::stable_sort(submissions.begin(), submissions.end(), [&](const auto& a, const auto& b) {
        return starts[a.id_assessment] + a.date_submitted <
               starts[b.id_assessment] + b.date_submitted;
    });
    return {};
}

// Which submissions the table holds, and whether each has a score.
Result<std::unordered_map<std::int64_t, bool>> ReadDone(Database& database) {
    std::unordered_map<std::int64_t, bool> done;
    const auto rows = BIWA_TRY(database.Execute(
        "SELECT id_assessment, id_student, score IS NOT NULL FROM student_assessment"));
    done.reserve(static_cast<std::size_t>(rows.size()));
    for (int i = 0; i < rows.size(); ++i) {
        done[Key(static_cast<std::int32_t>(rows.Int(i, 0)),
                 static_cast<std::int32_t>(rows.Int(i, 1)))] = rows.Text(i, 2) == "t";
    }
    return done;
}

Parameter Number(std::int64_t value) { return fmt::format("{}", value); }

PreparedCall ToCall(const Submission& row, bool mark) {
    if (mark) {
        return {"mark", {Number(row.id_assessment), Number(row.id_student), Number(*row.score)}};
    }
    return {"submit",
            {Number(row.id_assessment), Number(row.id_student), Number(row.date_submitted),
             Number(row.is_banked)}};
}

}  // namespace

std::vector<ReplayStep> PlanReplay(const std::vector<Submission>& submissions) {
    struct Due {
        std::int64_t at;
        std::int32_t row;
        bool operator>(const Due& other) const {
            return at != other.at ? at > other.at : row > other.row;
        }
    };
    std::vector<ReplayStep> steps;
    steps.reserve(submissions.size() * 2);
    std::priority_queue<Due, std::vector<Due>, std::greater<>> to_mark;
    const auto count = static_cast<std::int32_t>(submissions.size());
    for (std::int32_t row = 0; row < count || !to_mark.empty(); ++row) {
        while (!to_mark.empty() && (row >= count || to_mark.top().at <= row)) {
            steps.push_back({to_mark.top().row, true});
            to_mark.pop();
        }
        if (row >= count) break;
        const Submission& submission = submissions[static_cast<std::size_t>(row)];
        steps.push_back({row, false});
        if (submission.score) {
            const auto delay = 20 + Mix(Key(submission.id_assessment, submission.id_student)) % 400;
            to_mark.push({row + static_cast<std::int64_t>(delay), row});
        }
    }
    return steps;
}

Status Replay(const ReplayOptions& options) {
    const std::atomic<bool>& stop = biwa::examples::StopOnSignals();
    auto database = BIWA_TRY(Database::Connect(options.url, "oulad"));
    const auto file = options.data / "studentAssessment.csv";
    const std::string csv = BIWA_TRY(biwa::ReadFile(file));
    auto submissions = BIWA_TRY(ParseSubmissions(csv, file.string()));
    BIWA_TRY(SortByCalendar(database, submissions));
    const auto done = BIWA_TRY(ReadDone(database));

    // Or the disk's sync after each commit would set the rate. The server may lose the last commits
    // in a crash, and the next replay does them again.
    BIWA_TRY(database.Execute("SET synchronous_commit = off"));
    BIWA_TRY(database.Prepare("submit",
                              "INSERT INTO student_assessment (id_assessment, id_student, "
                              "date_submitted, is_banked) VALUES ($1, $2, $3, $4)"));
    BIWA_TRY(database.Prepare("mark",
                              "UPDATE student_assessment SET score = $3 "
                              "WHERE id_assessment = $1 AND id_student = $2"));

    const biwa::SystemClock clock;
    const biwa::Micros start = clock.Now();
    Pace pace(options.rate, start);
    std::int64_t statements = 0, transactions = 0, skipped = 0;
    const auto steps = PlanReplay(submissions);
    // At full speed the server has work while the next transactions are on their way.
    const int under_way_max = options.rate == 0 ? 32 : 1;
    int under_way = 0;
    std::vector<PreparedCall> calls;
    std::size_t next = 0;
    while (next < steps.size() && !stop) {
        // An application's transactions: one to four changes.
        const std::size_t end =
            std::min(steps.size(), next + 1 + Mix(static_cast<std::int64_t>(next)) % 4);
        calls.clear();
        for (; next < end; ++next) {
            const Submission& row = submissions[static_cast<std::size_t>(steps[next].row)];
            const auto found = done.find(Key(row.id_assessment, row.id_student));
            if (found != done.end() && (found->second || !steps[next].mark)) {
                ++skipped;
            } else {
                calls.push_back(ToCall(row, steps[next].mark));
            }
        }
        if (calls.empty()) continue;
        BIWA_TRY(database.SendTransaction(calls));
        for (++under_way; under_way >= under_way_max; --under_way) {
            BIWA_TRY(database.AwaitTransaction());
        }
        statements += static_cast<std::int64_t>(calls.size());
        ++transactions;
        if (options.rate > 0) {
            biwa::examples::SleepUnlessStopped(
                pace.Spend(static_cast<double>(calls.size()), clock.Now()), stop);
        }
    }
    for (; under_way > 0; --under_way) BIWA_TRY(database.AwaitTransaction());
    const double seconds = static_cast<double>(clock.Now() - start) / 1e6;
    fmt::print(
        stderr,
        "oulad: {} statements in {} transactions in {} ({} a second); {} were there before{}\n",
        biwa::HumanCount(statements), biwa::HumanCount(transactions), biwa::HumanSeconds(seconds),
        biwa::HumanCount(
            static_cast<std::int64_t>(static_cast<double>(statements) / std::max(seconds, 1e-3))),
        biwa::HumanCount(skipped),
        stop ? "; stopped, replay again to go on" : "; the table is complete");
    return {};
}

}  // namespace oulad
