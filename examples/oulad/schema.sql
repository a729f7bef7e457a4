-- The Open University Learning Analytics Dataset as an application's database. PostgreSQL 15.
-- Days ("date…") count from the start of a presentation of a module; they may be negative.

CREATE TABLE courses (
    code_module                 text NOT NULL,
    code_presentation           text NOT NULL,
    module_presentation_length  smallint NOT NULL,
    PRIMARY KEY (code_module, code_presentation)
);

CREATE TABLE assessments (
    code_module        text NOT NULL,
    code_presentation  text NOT NULL,
    id_assessment      integer PRIMARY KEY,
    assessment_type    text NOT NULL,
    date               smallint,
    weight             numeric(5,2) NOT NULL,
    FOREIGN KEY (code_module, code_presentation) REFERENCES courses
);

CREATE TABLE vle (
    id_site            integer PRIMARY KEY,
    code_module        text NOT NULL,
    code_presentation  text NOT NULL,
    activity_type      text NOT NULL,
    week_from          smallint,
    week_to            smallint,
    FOREIGN KEY (code_module, code_presentation) REFERENCES courses
);

CREATE TABLE student_info (
    code_module           text NOT NULL,
    code_presentation     text NOT NULL,
    id_student            integer NOT NULL,
    gender                text NOT NULL,
    region                text NOT NULL,
    highest_education     text NOT NULL,
    imd_band              text,
    age_band              text NOT NULL,
    num_of_prev_attempts  smallint NOT NULL,
    studied_credits       smallint NOT NULL,
    disability            text NOT NULL,
    final_result          text NOT NULL,
    PRIMARY KEY (code_module, code_presentation, id_student),
    FOREIGN KEY (code_module, code_presentation) REFERENCES courses
);

CREATE TABLE student_registration (
    code_module          text NOT NULL,
    code_presentation    text NOT NULL,
    id_student           integer NOT NULL,
    date_registration    smallint,
    date_unregistration  smallint,
    PRIMARY KEY (code_module, code_presentation, id_student),
    FOREIGN KEY (code_module, code_presentation, id_student) REFERENCES student_info
);

-- score is NULL until the submission is marked; 173 never are.
CREATE TABLE student_assessment (
    id_assessment   integer NOT NULL REFERENCES assessments,
    id_student      integer NOT NULL,
    date_submitted  smallint NOT NULL,
    is_banked       smallint NOT NULL,
    score           smallint,
    PRIMARY KEY (id_assessment, id_student)
);

-- The same student may click the same page twice a day: no column or columns are a key.
CREATE TABLE student_vle (
    id                 bigserial PRIMARY KEY,
    code_module        text NOT NULL,
    code_presentation  text NOT NULL,
    id_student         integer NOT NULL,
    id_site            integer NOT NULL REFERENCES vle,
    date               smallint NOT NULL,
    sum_click          smallint NOT NULL,
    FOREIGN KEY (code_module, code_presentation, id_student) REFERENCES student_info
);
