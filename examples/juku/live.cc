#include "juku/live.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>

#include "base/clock.h"
#include "database/database.h"
#include "database/pace.h"
#include "juku/calendar.h"
#include "juku/names.h"
#include "juku/school.h"

namespace juku {

using biwa::Error;
using biwa::ErrorKind;
using biwa::Result;
using biwa::Status;
using biwa::examples::Database;
using biwa::examples::Pace;
using biwa::examples::Parameter;
using biwa::examples::SleepUnlessStopped;

namespace {

// Statements a second that one connection is asked for; more connections share a larger rate, so
// that their commits reach the disk together.
constexpr double kRatePerConnection = 250;
constexpr int kConnectionsMax = 16;

struct LivePupil {
    std::int64_t id;
    int grade;
    Traits traits;
};

// What all workers read.
struct World {
    std::vector<LivePupil> pupils;
    std::vector<Problem> problems;
    std::int64_t classrooms = 1;
};

// What all workers write; the status line reads it.
struct Tally {
    std::atomic<std::int64_t> inserts = 0, updates = 0, deletes = 0, transactions = 0;
    std::atomic<std::int64_t> refused = 0, reconnects = 0;
    std::atomic<int> open_sessions = 0;

    std::mutex mutex;
    std::string last_error;  // under the mutex
    void Note(const Error& error) {
        std::lock_guard lock(mutex);
        last_error = error.message;
    }
};

struct Statement {
    const char* name;
    const char* sql;
};
constexpr Statement kStatements[] = {
    {"latest_answers",
     "SELECT problem_id, is_correct, extract(epoch FROM now() - answered_at) / 86400 FROM answers"
     " WHERE student_id = $1 ORDER BY answered_at DESC LIMIT 200"},
    {"start_session",
     "INSERT INTO study_sessions (student_id, unit_id, kind, device, started_at)"
     " VALUES ($1, $2, $3::session_kind, $4::jsonb, now()) RETURNING id"},
    {"answer",
     "INSERT INTO answers (session_id, student_id, problem_id, response, is_correct, score,"
     " response_ms, answered_at) VALUES ($1, $2, $3, $4, $5, $6, $7, now()) RETURNING id"},
    {"end_session", "UPDATE study_sessions SET ended_at = now() WHERE id = $1"},
    {"correct_answer",
     "UPDATE answers SET is_correct = NOT is_correct, score = CASE WHEN is_correct THEN 0 ELSE"
     " (SELECT points FROM problems p WHERE p.id = problem_id) END, corrected_at = now()"
     " WHERE id = $1"},
    {"move_student",
     "UPDATE students SET classroom_id = (SELECT id FROM classrooms c WHERE c.grade ="
     " students.grade ORDER BY (c.id + $2::bigint) % 1000003 LIMIT 1), updated_at = now()"
     " WHERE id = $1"},
    {"change_email", "UPDATE students SET email = $2, updated_at = now() WHERE id = $1"},
    {"withdraw_answer", "DELETE FROM answers WHERE id = $1"},
    {"delete_answers", "DELETE FROM answers WHERE session_id = $1"},
    {"delete_session", "DELETE FROM study_sessions WHERE id = $1"},
};

// One connection and the pupils whose index leaves `number` when divided by `workers`.
class Worker {
  public:
    Worker(const World& world, Tally& tally, Database database, double rate, int number,
           int workers, std::uint64_t seed)
        : world_(world),
          tally_(tally),
          database_(std::move(database)),
          rate_(rate),
          number_(number),
          workers_(workers),
          random_(Random::For(seed, 301, static_cast<std::uint64_t>(number))) {
        const int mine = static_cast<int>(world.pupils.size()) / workers;
        // A pupil needs some 30 seconds for an answer; a high rate makes faster pupils of them.
        sessions_wanted_ = std::clamp(static_cast<int>(rate * 15), 1, std::max(1, mine / 2));
    }

    void Run(const std::atomic<bool>& stop) {
        Pace pace(rate_, clock_.Now());
        bool ready = Prepare();
        while (!stop) {
            if (!ready) {
                ready = Reconnect(stop);
                continue;
            }
            const int before = statements_;
            const Status done = Step();
            tally_.open_sessions += static_cast<int>(sessions_.size()) - counted_sessions_;
            counted_sessions_ = static_cast<int>(sessions_.size());
            if (!done) {
                tally_.Note(done.error());
                if (done.error().kind == ErrorKind::kUnavailable) {
                    ready = false;
                    continue;
                }
                ++tally_.refused;
                // The rows it was about may be gone; what a refusal leaves open is rolled back.
                sessions_.clear();
                recent_answers_.clear();
                recent_sessions_.clear();
                if (!database_.Execute("ROLLBACK")) ready = false;
            }
            const int spent = std::max(1, statements_ - before);
            SleepUnlessStopped(pace.Spend(spent, clock_.Now()), stop);
        }
        // Nobody sits before a tablet that is switched off.
        while (ready && !sessions_.empty()) {
            if (!Change(tally_.updates, "end_session", {Number(sessions_.back().id)})) break;
            sessions_.pop_back();
        }
        tally_.open_sessions -= counted_sessions_;
    }

  private:
    struct OpenSession {
        std::int64_t id;
        const LivePupil* pupil;
        int unit;
        int answers_left;
        double practice;
    };

    static std::string Number(std::int64_t value) { return fmt::format("{}", value); }
    static std::string Tenths(int value) { return fmt::format("{}.{}", value / 10, value % 10); }

    bool Prepare() {
        for (const auto& statement : kStatements) {
            const Status prepared = database_.Prepare(statement.name, statement.sql);
            if (!prepared) {
                tally_.Note(prepared.error());
                return false;
            }
        }
        return true;
    }

    bool Reconnect(const std::atomic<bool>& stop) {
        SleepUnlessStopped(reconnect_delay_, stop);
        reconnect_delay_ = std::min<biwa::Micros>(reconnect_delay_ * 2, 5 * kSecond);
        if (stop) return false;
        const Status connected = database_.Reconnect();
        if (!connected) {
            tally_.Note(connected.error());
            return false;
        }
        if (!Prepare()) return false;
        ++tally_.reconnects;
        reconnect_delay_ = kSecond / 4;
        return true;
    }

    // One statement that writes.
    Result<biwa::examples::Rows> Change(std::atomic<std::int64_t>& kind, const std::string& name,
                                        std::initializer_list<Parameter> parameters) {
        auto rows = database_.Call(name, parameters);
        if (rows) {
            ++kind;
            ++statements_;
        }
        return rows;
    }

    Status Step() {
        const bool start =
            sessions_.empty() ||
            (static_cast<int>(sessions_.size()) < sessions_wanted_ && random_.Chance(start_share_));
        if (start) return StartSession();
        const double draw = random_.Uniform();
        if (draw < 0.025) return CorrectAnswer();
        if (draw < 0.035) return ChangeStudent();
        if (draw < 0.050) return WithdrawAnswer();
        if (draw < 0.052) return DeleteSession();
        return AnswerNext();
    }

    Status Commit() {
        BIWA_TRY(database_.Execute("COMMIT"));
        ++tally_.transactions;
        return {};
    }

    Status StartSession() {
        const int mine = static_cast<int>(world_.pupils.size()) / workers_;
        const LivePupil* pupil = nullptr;
        for (int tries = 0; tries < 30; ++tries) {
            pupil =
                &world_.pupils[static_cast<std::size_t>(random_.Below(mine) * workers_ + number_)];
            const bool studies = std::any_of(sessions_.begin(), sessions_.end(),
                                             [&](const auto& s) { return s.pupil == pupil; });
            if (!studies && random_.Chance(std::min(1.0, pupil->traits.diligence / 2.0))) break;
        }
        const auto day = TokyoDay(clock_.Now());
        const int unit = ChooseUnit(random_, pupil->grade, SchoolYearProgress(day));
        const int subject = SubjectOfUnit(unit);
        const double practice = BIWA_TRY(PractisedIn(subject, pupil->id));
        const auto kind = ChooseSessionKind(random_);
        OpenSession session{0, pupil, unit, ChooseSessionLength(random_, kind), practice};

        BIWA_TRY(database_.Execute("BEGIN"));
        const auto rows =
            BIWA_TRY(Change(tally_.inserts, "start_session",
                            {Number(pupil->id), Number(unit + 1), std::string(ToSql(kind)),
                             std::string(Device(static_cast<int>(pupil->id % kDevices)))}));
        session.id = rows.Int(0, 0);
        BIWA_TRY(InsertAnswer(session));
        BIWA_TRY(Commit());
        sessions_.push_back(session);
        return {};
    }

    // What Practice::At would say now of the pupil's answers; older ones than the latest 200 are
    // as good as forgotten.
    Result<double> PractisedIn(int subject, std::int64_t pupil) {
        const auto answers = BIWA_TRY(database_.Call("latest_answers", {Number(pupil)}));
        double practice = 0;
        for (int row = 0; row < answers.size(); ++row) {
            if (SubjectOfUnit(UnitOfProblem(static_cast<int>(answers.Int(row, 0)) - 1)) !=
                subject) {
                continue;
            }
            const bool correct = answers.Text(row, 1) == "t";
            practice += (correct ? kPracticeOfRight : kPracticeOfWrong) *
                        std::exp2(-answers.Double(row, 2) / kHalfLifeDays);
        }
        return practice;
    }

    Status InsertAnswer(OpenSession& session) {
        const int subject = SubjectOfUnit(session.unit);
        const Traits& traits = session.pupil->traits;
        const double ability =
            Ability(traits.talent[static_cast<std::size_t>(subject)], session.practice);
        const int number = ChooseProblem(random_, session.unit, ability, world_.problems);
        const Problem& problem = world_.problems[static_cast<std::size_t>(number)];
        const Response response = Respond(random_, traits, ability, subject, problem);
        const auto rows =
            BIWA_TRY(Change(tally_.inserts, "answer",
                            {Number(session.id), Number(session.pupil->id), Number(number + 1),
                             ResponseText(random_, number, problem.format, response.correct),
                             std::string(response.correct ? "t" : "f"),
                             Tenths(ScoreTenths(random_, problem, response.correct)),
                             Number(response.milliseconds)}));
        session.practice += response.correct ? kPracticeOfRight : kPracticeOfWrong;
        --session.answers_left;
        Remember(recent_answers_, rows.Int(0, 0));
        return {};
    }

    Status AnswerNext() {
        const auto index =
            static_cast<std::size_t>(random_.Below(static_cast<int>(sessions_.size())));
        OpenSession& session = sessions_[index];
        if (session.answers_left > 1) {
            BIWA_TRY(InsertAnswer(session));
            ++tally_.transactions;
            return {};
        }
        // The last answer and the end of the session are one transaction.
        BIWA_TRY(database_.Execute("BEGIN"));
        if (session.answers_left > 0) BIWA_TRY(InsertAnswer(session));
        BIWA_TRY(Change(tally_.updates, "end_session", {Number(session.id)}));
        BIWA_TRY(Commit());
        Remember(recent_sessions_, session.id);
        session = sessions_.back();
        sessions_.pop_back();
        return {};
    }

    Status CorrectAnswer() {
        const auto id = Recall(recent_answers_);
        if (!id) return AnswerNext();
        BIWA_TRY(Change(tally_.updates, "correct_answer", {Number(*id)}));
        ++tally_.transactions;
        return {};
    }

    Status ChangeStudent() {
        const LivePupil& pupil = random_.Of(world_.pupils);
        if (random_.Chance(0.5)) {
            BIWA_TRY(Change(tally_.updates, "move_student",
                            {Number(pupil.id), Number(random_.Below(1'000'000))}));
        } else {
            const std::int64_t number = pupil.id * 1000 + random_.Below(1000);
            BIWA_TRY(Change(tally_.updates, "change_email",
                            {Number(pupil.id),
                             Email(ChildName(random_).latin, FamilyName(random_).latin, number)}));
        }
        ++tally_.transactions;
        return {};
    }

    Status WithdrawAnswer() {
        const auto id = Recall(recent_answers_);
        if (!id) return AnswerNext();
        std::erase(recent_answers_, *id);
        BIWA_TRY(Change(tally_.deletes, "withdraw_answer", {Number(*id)}));
        ++tally_.transactions;
        return {};
    }

    Status DeleteSession() {
        const auto id = Recall(recent_sessions_);
        if (!id) return AnswerNext();
        std::erase(recent_sessions_, *id);
        BIWA_TRY(database_.Execute("BEGIN"));
        BIWA_TRY(Change(tally_.deletes, "delete_answers", {Number(*id)}));
        BIWA_TRY(Change(tally_.deletes, "delete_session", {Number(*id)}));
        return Commit();
    }

    static void Remember(std::deque<std::int64_t>& ids, std::int64_t id) {
        ids.push_back(id);
        if (ids.size() > 500) ids.pop_front();
    }
    std::optional<std::int64_t> Recall(const std::deque<std::int64_t>& ids) {
        if (ids.empty()) return std::nullopt;
        return ids[static_cast<std::size_t>(random_.Below(static_cast<int>(ids.size())))];
    }

    const World& world_;
    Tally& tally_;
    Database database_;
    const double rate_;
    const int number_;
    const int workers_;
    Random random_;
    const biwa::SystemClock clock_;
    int sessions_wanted_;
    const double start_share_ = 0.12;
    int statements_ = 0;
    int counted_sessions_ = 0;
    biwa::Micros reconnect_delay_ = kSecond / 4;
    std::vector<OpenSession> sessions_;
    std::deque<std::int64_t> recent_answers_, recent_sessions_;
};

std::optional<std::array<std::uint64_t, 2>> ParseUuid(std::string_view text) {
    std::array<std::uint64_t, 2> halves{};
    int digits = 0;
    for (const char c : text) {
        if (c == '-') continue;
        const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0 || digits == 32) return std::nullopt;
        auto& half = halves[static_cast<std::size_t>(digits++ / 16)];
        half = half << 4 | static_cast<std::uint64_t>(digit);
    }
    if (digits != 32) return std::nullopt;
    return halves;
}

Result<World> ReadWorld(Database& database) {
    World world;
    const auto students = BIWA_TRY(database.Execute(
        "SELECT id, public_id, grade FROM students WHERE left_on IS NULL ORDER BY id"));
    for (int row = 0; row < students.size(); ++row) {
        const auto id = ParseUuid(students.Text(row, 1));
        const auto grade = static_cast<int>(students.Int(row, 2));
        if (!id || grade < kGradeMin || grade >= kGradeMin + kGrades) continue;
        world.pupils.push_back({students.Int(row, 0), grade, Traits((*id)[0], (*id)[1])});
    }
    const auto problems =
        BIWA_TRY(database.Execute("SELECT difficulty, discrimination, "
                                  "array_position(enum_range(NULL::problem_format), format) "
                                  "- 1, (points * 10)::int FROM problems ORDER BY id"));
    for (int row = 0; row < problems.size(); ++row) {
        world.problems.push_back({static_cast<float>(problems.Double(row, 0)),
                                  static_cast<float>(problems.Double(row, 1)),
                                  static_cast<ProblemFormat>(problems.Int(row, 2)),
                                  static_cast<std::int16_t>(problems.Int(row, 3))});
    }
    if (world.pupils.empty() || world.problems.size() != static_cast<std::size_t>(kProblems)) {
        return biwa::UserError(
            fmt::format("database \"{}\" holds {} pupils and {} problems, not a school of juku",
                        database.name(), world.pupils.size(), world.problems.size()),
            "Run juku load first.");
    }
    return world;
}

class StatusLine {
  public:
    explicit StatusLine(Tally& tally) : tally_(tally) {}

    void Print(double seconds) {
        const std::int64_t counts[] = {tally_.inserts, tally_.updates, tally_.deletes};
        std::int64_t since[3], sum = 0;
        for (int i = 0; i < 3; ++i) {
            since[i] = counts[i] - before_[i];
            sum += since[i];
            before_[i] = counts[i];
        }
        std::string trouble;
        const std::int64_t refused = tally_.refused, reconnects = tally_.reconnects;
        std::lock_guard lock(tally_.mutex);
        if (refused > 0) trouble += fmt::format(", {} refused", refused);
        if (reconnects > 0) trouble += fmt::format(", reconnected {} times", reconnects);
        if (!tally_.last_error.empty()) {
            trouble += fmt::format(", last: {}", tally_.last_error);
            tally_.last_error.clear();
        }
        fmt::print(stderr,
                   "juku: {:.0f} statements/s ({} inserts, {} updates, {} deletes in {:.0f} s), {} "
                   "open sessions{}\n",
                   static_cast<double>(sum) / std::max(seconds, 0.001), since[0], since[1],
                   since[2], seconds, tally_.open_sessions.load(), trouble);
    }

  private:
    Tally& tally_;
    std::int64_t before_[3] = {};
};

}  // namespace

Status Live(const LiveOptions& options) {
    const std::atomic<bool>& signalled = biwa::examples::StopOnSignals();
    auto database = BIWA_TRY(Database::Connect(options.url, "juku"));
    const World world = BIWA_TRY(ReadWorld(database));

    const biwa::SystemClock clock;
    const int workers =
        std::clamp(static_cast<int>(std::ceil(options.rate / kRatePerConnection)), 1,
                   std::min(kConnectionsMax, static_cast<int>(world.pupils.size())));
    const std::uint64_t seed =
        options.seed != 0 ? options.seed : static_cast<std::uint64_t>(clock.Now());
    Tally tally;
    StatusLine status(tally);
    std::atomic<bool> stop = false;
    std::vector<Worker> all;
    all.reserve(static_cast<std::size_t>(workers));
    for (int i = 0; i < workers; ++i) {
        all.emplace_back(world, tally, BIWA_TRY(Database::Connect(options.url, "juku")),
                         options.rate / workers, i, workers, seed);
    }
    {
        std::vector<std::jthread> threads;
        threads.reserve(all.size());
        for (Worker& worker : all) threads.emplace_back([&] { worker.Run(stop); });

        const biwa::Micros start = clock.Now();
        biwa::Micros shown = start;
        const auto end = options.seconds > 0
                             ? start + static_cast<biwa::Micros>(options.seconds * kSecond)
                             : INT64_MAX;
        while (!signalled && clock.Now() < end) {
            const biwa::Micros next = std::min(end, shown + 10 * kSecond);
            SleepUnlessStopped(next - clock.Now(), signalled);
            const biwa::Micros now = clock.Now();
            if (now < shown + 10 * kSecond && !signalled && now < end) continue;
            status.Print(static_cast<double>(now - shown) / kSecond);
            shown = now;
        }
        stop = true;
    }
    return {};
}

}  // namespace juku
