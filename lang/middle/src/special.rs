//! The syntactic forms that the expander knows, and the auxiliary keywords.
//!
//! The table below is the only list of them: it makes the enum, the names in
//! `(bowline primitives)`, and what a message says a form looks like.

macro_rules! specials {
    ($($variant:ident $name:literal $shape:literal,)*) => {
        /// A syntactic form or auxiliary keyword.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub(crate) enum Special { $($variant,)* }

        impl Special {
            /// Every one.
            pub(crate) const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Its name.
            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What it looks like; empty for auxiliary keywords.
            pub(crate) fn shape(self) -> &'static str {
                match self { $(Self::$variant => $shape,)* }
            }
        }
    };
}

specials! {
    Quote "quote" "(quote DATUM)",
    Quasiquote "quasiquote" "(quasiquote TEMPLATE)",
    Lambda "lambda" "(lambda FORMALS BODY ...)",
    NamedLambda "named-lambda" "(named-lambda (NAME . FORMALS) BODY ...)",
    CaseLambda "case-lambda" "(case-lambda (FORMALS BODY ...) ...)",
    If "if" "(if TEST THEN [ELSE])",
    Set "set!" "(set! VARIABLE EXPRESSION)",
    Begin "begin" "(begin FORM ...)",
    Let "let" "(let [NAME] ((VARIABLE INIT) ...) BODY ...)",
    LetStar "let*" "(let* ((VARIABLE INIT) ...) BODY ...)",
    Letrec "letrec" "(letrec ((VARIABLE INIT) ...) BODY ...)",
    LetrecStar "letrec*" "(letrec* ((VARIABLE INIT) ...) BODY ...)",
    LetValues "let-values" "(let-values ((FORMALS INIT) ...) BODY ...)",
    LetStarValues "let*-values" "(let*-values ((FORMALS INIT) ...) BODY ...)",
    Cond "cond" "(cond (TEST EXPRESSION ...) ... [(else EXPRESSION ...)])",
    Case "case" "(case KEY ((DATUM ...) EXPRESSION ...) ... [(else EXPRESSION ...)])",
    And "and" "(and TEST ...)",
    Or "or" "(or TEST ...)",
    When "when" "(when TEST EXPRESSION ...)",
    Unless "unless" "(unless TEST EXPRESSION ...)",
    Match "match" "(match EXPRESSION (PATTERN [(where TEST)] BODY ...) ...)",
    Do "do" "(do ((VARIABLE INIT [STEP]) ...) (TEST EXPRESSION ...) COMMAND ...)",
    Guard "guard" "(guard (VARIABLE CLAUSE ...) BODY ...)",
    Parameterize "parameterize" "(parameterize ((PARAMETER VALUE) ...) BODY ...)",
    Delay "delay" "(delay EXPRESSION)",
    DelayForce "delay-force" "(delay-force EXPRESSION)",
    Define "define" "(define VARIABLE EXPRESSION) or (define (NAME . FORMALS) BODY ...)",
    DefineValues "define-values" "(define-values FORMALS EXPRESSION)",
    DefineRecordType "define-record-type"
        "(define-record-type NAME (CONSTRUCTOR FIELD ...) PREDICATE (FIELD ACCESSOR [MODIFIER]) ...)",
    DefineForeign "define-foreign"
        "(define-foreign NAME (LIBRARY \"symbol\") (TYPE ...) RESULT CLAUSE ...)",
    DefineForeignStruct "define-foreign-struct" "(define-foreign-struct NAME (FIELD TYPE) ...)",
    DefineDatatype "define-datatype" "(define-datatype NAME (CONSTRUCTOR FIELD ...) ...)",
    DefineForeignEnum "define-foreign-enum" "(define-foreign-enum NAME MEMBER ...), where a MEMBER is NAME or (NAME INTEGER)",
    ForeignExport "foreign-export"
        "(foreign-export \"C\" PROCEDURE (TYPE ...) RESULT \"NAME\")",
    ExportConstruction "foreign-export-du-construction"
        "(foreign-export-du-construction \"C\" (TYPE CONSTRUCTOR FIELDS) \"NAME\")",
    ExportDeconstruction "foreign-export-du-deconstruction"
        "(foreign-export-du-deconstruction \"C\" (TYPE CONSTRUCTOR FIELDS) \"NAME\")",
    ExportTest "foreign-export-du-test"
        "(foreign-export-du-test \"C\" (TYPE CONSTRUCTOR FIELDS) \"NAME\")",
    ExportEnum "foreign-export-enum"
        "(foreign-export-enum \"C\" TYPE \"PREFIX\" (MEMBER \"PART\") ...)",
    DefineSyntax "define-syntax" "(define-syntax KEYWORD (syntax-rules ...))",
    LetSyntax "let-syntax" "(let-syntax ((KEYWORD (syntax-rules ...)) ...) BODY ...)",
    LetrecSyntax "letrec-syntax" "(letrec-syntax ((KEYWORD (syntax-rules ...)) ...) BODY ...)",
    SyntaxRules "syntax-rules" "(syntax-rules [ELLIPSIS] (LITERAL ...) (PATTERN TEMPLATE) ...)",
    SyntaxError "syntax-error" "(syntax-error MESSAGE FORM ...)",
    CondExpand "cond-expand" "(cond-expand (REQUIREMENT FORM ...) ... [(else FORM ...)])",
    Include "include" "(include FILE ...)",
    IncludeCi "include-ci" "(include-ci FILE ...)",
    Import "import" "(import IMPORT-SET ...)",
    DefineLibrary "define-library" "(define-library NAME DECLARATION ...)",
    Else "else" "",
    Arrow "=>" "",
    Ellipsis "..." "",
    Underscore "_" "",
    Where "where" "",
    Unquote "unquote" "",
    UnquoteSplicing "unquote-splicing" "",
}

impl Special {
    /// Whether it is only a word that other forms look for.
    pub(crate) fn is_auxiliary(self) -> bool {
        self.shape().is_empty()
    }

    /// Whether it defines something, or stands for forms that may.
    pub(crate) fn is_definition(self) -> bool {
        matches!(
            self,
            Self::Define
                | Self::DefineValues
                | Self::DefineRecordType
                | Self::DefineForeign
                | Self::DefineForeignStruct
                | Self::DefineDatatype
                | Self::DefineForeignEnum
                | Self::DefineSyntax
        )
    }

    /// Whether it gives something to C, which only a top level can.
    pub(crate) fn is_export(self) -> bool {
        matches!(
            self,
            Self::ForeignExport
                | Self::ExportConstruction
                | Self::ExportDeconstruction
                | Self::ExportTest
                | Self::ExportEnum
        )
    }

    /// Whether it stands for the forms inside it.
    pub(crate) fn is_spliced(self) -> bool {
        matches!(
            self,
            Self::Begin | Self::CondExpand | Self::Include | Self::IncludeCi
        )
    }
}
