#include "juku/load.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>

#include "base/check.h"
#include "base/text.h"
#include "database/copy_writer.h"
#include "schema_sql.h"

namespace juku {

using biwa::HumanCount;
using biwa::Result;
using biwa::Status;
using biwa::examples::CopyBuffer;
using biwa::examples::CopyWriter;
using biwa::examples::Database;

namespace {

constexpr std::string_view kTables[] = {"answers",  "study_sessions", "problems",
                                        "units",    "subjects",       "guardians",
                                        "students", "classrooms",     "organizations"};
constexpr std::string_view kTypes[] = {"organization_kind", "guardian_relation", "problem_format",
                                       "session_kind"};

// A line that is written over again and again, on a terminal only.
class Progress {
  public:
    explicit Progress(std::int64_t rows_max) : rows_max_(rows_max) {}

    void Show(std::int64_t rows) {
        const auto now = std::chrono::steady_clock::now();
        if (!terminal_ || now - shown_ < std::chrono::milliseconds(200)) return;
        shown_ = now;
        fmt::print(stderr, "\r{} of {} answers, {} a second \033[K", HumanCount(rows),
                   HumanCount(rows_max_),
                   HumanCount(static_cast<std::int64_t>(static_cast<double>(rows) / Seconds())));
        std::fflush(stderr);
    }
    void Say(std::string_view what) {
        if (terminal_) fmt::print(stderr, "\r{} \033[K", what);
    }
    void Clear() { Say(""); }
    double Seconds() const {
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    }

  private:
    const std::int64_t rows_max_;
    const bool terminal_ = isatty(STDERR_FILENO) != 0;
    const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
    std::chrono::steady_clock::time_point shown_{};
};

Status MakeRoom(Database& database, bool replace) {
    if (replace) {
        for (const auto table : kTables) {
            BIWA_TRY(database.Execute(fmt::format("DROP TABLE IF EXISTS {} CASCADE", table)));
        }
        for (const auto type : kTypes) {
            BIWA_TRY(database.Execute(fmt::format("DROP TYPE IF EXISTS {} CASCADE", type)));
        }
        return {};
    }
    for (const auto table : kTables) {
        const auto found = BIWA_TRY(database.Execute(
            fmt::format("SELECT 1 WHERE to_regclass({}) IS NOT NULL", biwa::QuoteLiteral(table))));
        if (found.size() > 0) {
            return biwa::UserError(
                fmt::format("database \"{}\" already has a table \"{}\"", database.name(), table),
                "Give --replace to drop what an earlier load has made.");
        }
    }
    return {};
}

Status CopySessions(Database& database, const std::vector<Session>& sessions) {
    auto copy = BIWA_TRY(CopyWriter::Begin(
        database, "study_sessions", "id, student_id, unit_id, kind, device, started_at, ended_at",
        /*freeze=*/true));
    for (const Session& session : sessions) {
        CopyBuffer& row = *BIWA_TRY(copy.Row(7));
        row.Int64(session.id)
            .Int64(session.pupil + 1)
            .Int64(session.unit + 1)
            .Text(ToSql(session.kind))
            .Jsonb(Device(session.device))
            .TimestampTz(session.started_at);
        session.ended_at == 0 ? row.Null() : row.TimestampTz(session.ended_at);
    }
    BIWA_TRY(copy.Finish());
    return {};
}

Status CopyAnswers(Database& database, const std::vector<Answer>& answers,
                   const std::vector<Problem>& problems, std::int64_t first_id) {
    auto copy = BIWA_TRY(CopyWriter::Begin(database, "answers",
                                           "id, session_id, student_id, problem_id, response, "
                                           "is_correct, score, response_ms, answered_at, "
                                           "corrected_at",
                                           /*freeze=*/true));
    std::int64_t id = first_id;
    for (const Answer& answer : answers) {
        Random random(static_cast<std::uint64_t>(id));
        const auto format = problems[static_cast<std::size_t>(answer.problem)].format;
        CopyBuffer& row = *BIWA_TRY(copy.Row(10));
        row.Int64(id++)
            .Int64(answer.session_id)
            .Int64(answer.pupil + 1)
            .Int64(answer.problem + 1)
            .Text(ResponseText(random, answer.problem, format, answer.correct))
            .Bool(answer.correct)
            .Numeric(answer.score_tenths, 1)
            .Int32(answer.response_ms)
            .TimestampTz(answer.answered_at);
        answer.corrected_at == 0 ? row.Null() : row.TimestampTz(answer.corrected_at);
    }
    BIWA_TRY(copy.Finish());
    return {};
}

}  // namespace

Status Load(const LoadOptions& options) {
    constexpr std::string_view kMarker = "-- history is loaded here";
    const std::size_t marker = kSchemaSql.find(kMarker);
    BIWA_CHECK(marker != std::string_view::npos);

    auto database = BIWA_TRY(Database::ConnectOrCreate(options.url, "juku"));
    // One transaction: the tables are there with all of their history, or not at all. It also lets
    // COPY write rows that no VACUUM has to come back to (FREEZE).
    BIWA_TRY(database.Execute("BEGIN"));
    BIWA_TRY(MakeRoom(database, options.replace));
    BIWA_TRY(database.Execute(std::string(kSchemaSql.substr(0, marker))));

    History history(options.history);
    Progress progress(options.history.answers);
    BIWA_TRY(LoadSchool(database, history.size()));
    std::vector<Session> sessions;
    std::vector<Answer> answers;
    std::int64_t sessions_done = 0, answers_done = 0;
    while (history.Next(sessions, answers)) {
        BIWA_TRY(CopySessions(database, sessions));
        BIWA_TRY(CopyAnswers(database, answers, history.problems(), answers_done + 1));
        sessions_done += static_cast<std::int64_t>(sessions.size());
        answers_done += static_cast<std::int64_t>(answers.size());
        progress.Show(answers_done);
    }
    const double copy_seconds = progress.Seconds();
    progress.Say("making foreign keys and indexes");
    BIWA_TRY(database.Execute("SET LOCAL maintenance_work_mem = '512MB'"));
    BIWA_TRY(database.Execute(std::string(kSchemaSql.substr(marker))));
    for (const auto table : kTables) {
        BIWA_TRY(database.Execute(fmt::format(
            "SELECT setval(pg_get_serial_sequence('{0}', 'id'), max(id)) FROM {0}", table)));
    }
    BIWA_TRY(database.Execute("COMMIT"));
    BIWA_TRY(database.Execute("ANALYZE"));
    progress.Clear();
    fmt::print(
        stderr,
        "juku: loaded {} answers in {} sessions of {} students into database \"{}\" in {} "
        "({} answers a second while copying, {} in all)\n",
        HumanCount(answers_done), HumanCount(sessions_done), HumanCount(history.size().students),
        database.name(), biwa::HumanSeconds(progress.Seconds()),
        HumanCount(static_cast<std::int64_t>(static_cast<double>(answers_done) / copy_seconds)),
        HumanCount(
            static_cast<std::int64_t>(static_cast<double>(answers_done) / progress.Seconds())));
    return {};
}

}  // namespace juku
