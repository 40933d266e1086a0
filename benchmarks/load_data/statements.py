"""The SQL of the load data. A temporary table plans the conversations; all other rows are derived from it.

The texts contain no input except numbers. Random values are `md5` of the seed and the row's identity.
"""

from collections.abc import Iterator

from benchmarks.load_data.plan import GROUP_SIZES, GROUPS_EVERY, SMALLEST_GROUP, Plan

# The year in which everything happened, in Unix microseconds.
BEGAN_US = 1_735_689_600_000_000  # 2025-01-01
YEAR_US = 365 * 24 * 3600 * 1_000_000
HOUR_US = 3_600_000_000
# After this many messages of a conversation, delivery and read positions move.
RECEIPTS_EVERY = 20
# Every third participant has not read the newest messages.
BEHIND_EVERY = 3
# No character that JSON would have to escape: the digest of a message is made here as the product makes it.
SENTENCES = (
    "See you at eight?",
    "The train is late again, start without me.",
    "Yes.",
    "I have put the figures into the shared folder, please look at the second page before Thursday.",
    "Who has the keys?",
    "That is what I thought, too.",
    "Thank you!",
    "It rained all day, so we stayed in and repaired the old bicycle.",
    "Could you bring bread and something for breakfast?",
    "The meeting is moved to room four.",
    "No idea, ask Maria.",
    "Good night.",
    "We found a place near the river, quiet, with a garden, and they still had a table for six.",
    "On my way.",
    "I will call you after work.",
    "Look at this when you have a minute, it explains everything that we talked about yesterday.",
)


def people_and_conversations(plan: Plan) -> Iterator[str]:
    """Yield what writes people, conversations, and the beginnings of their logs."""
    yield f"""
        INSERT INTO accounts_user (id, username, display_name, email, about, avatar_url, password, is_active,
            is_staff, is_superuser, created_at)
        SELECT {_person("n", plan)}, 'load-' || n, 'Person ' || n, '', '', '', '!' || md5('{plan.seed}:password:' || n),
            true, false, false, {_moment(_arrival_of("n", plan))}
        FROM generate_series(0, {plan.people - 1}::bigint) AS n
    """
    yield _conversations(plan)
    yield "CREATE UNIQUE INDEX ON load_conversations (id)"
    yield "ANALYZE load_conversations"
    yield """
        INSERT INTO conversations_conversation (id, type, name, description, avatar_url, created_by_id, created_at,
            updated_at, last_activity_at, direct_key, last_sequence, last_message_sequence, message_count,
            participant_count)
        SELECT id, type, CASE type WHEN 'group' THEN 'Group ' || number ELSE '' END, '', '', members[1], created_at,
            last_at, last_at,
            CASE type WHEN 'direct' THEN
                least(members[1]::text, members[2]::text) || ':' || greatest(members[1]::text, members[2]::text) END,
            before + size, CASE WHEN size > 0 OR type = 'group' THEN before + size ELSE 0 END, size,
            cardinality(members)
        FROM load_conversations ORDER BY number
    """
    yield """
        INSERT INTO conversations_event (conversation_id, sequence, kind, subject_sequence, message_id, user_id,
            actor_id, created_at)
        SELECT id, 1, 'conversation_created', 1, NULL, NULL, members[1], created_at
        FROM load_conversations ORDER BY number
    """
    yield f"""
        WITH lines AS (
            INSERT INTO messaging_message (id, conversation_id, sequence, sender_id, client_message_id, message_type,
                content, metadata, reply_to_id, payload_digest, created_at, edited_at, deleted_at)
            SELECT {_uuid7("us", f"md5('{plan.seed}:line:' || number)")}, id, 2, NULL, NULL, 'system', '',
                jsonb_build_object('event', 'group_created', 'actor_user_id', members[1],
                    'user_ids', members[2:51], 'user_count', cardinality(members) - 1),
                NULL, NULL, created_at, NULL, NULL
            FROM load_conversations WHERE type = 'group' ORDER BY number
            RETURNING id, conversation_id, created_at
        )
        INSERT INTO conversations_event (conversation_id, sequence, kind, subject_sequence, message_id, user_id,
            actor_id, created_at)
        SELECT l.conversation_id, 2, 'new_message', 2, l.id, NULL, c.members[1], l.created_at
        FROM lines AS l JOIN load_conversations AS c ON c.id = l.conversation_id
    """


def messages_and_receipts(plan: Plan, number: int) -> Iterator[str]:
    """Yield what writes one slice of the year: a part of every conversation's messages, then the marks they moved."""
    sentences = ", ".join(f"'{sentence}'" for sentence in SENTENCES)
    some = f"generate_series(c.size * {number} / {plan.slices}, c.size * {number + 1} / {plan.slices} - 1) AS j"
    # OFFSET 0 keeps PostgreSQL from working a value out anew wherever it is used.
    yield f"""
        WITH written AS (
            INSERT INTO messaging_message (id, conversation_id, sequence, sender_id, client_message_id, message_type,
                content, metadata, reply_to_id, payload_digest, created_at, edited_at, deleted_at)
            SELECT {_uuid7("d.us", "d.chance")}, c.id, c.before + 1 + j,
                c.members[1 + {_number("d.chance", 1, 7)} % cardinality(c.members)],
                (substr(d.chance, 17) || substr(d.chance, 1, 16))::uuid, 'text', t.content, '{{}}', NULL,
                substr(encode(sha256(convert_to('["' || c.id || '","text","' || t.content || '",{{}},null]', 'UTF8')),
                    'hex'), 1, 32)::uuid,
                {_moment("d.us")}, NULL, NULL
            FROM load_conversations AS c CROSS JOIN LATERAL {some}
            CROSS JOIN LATERAL (
                SELECT md5('{plan.seed}:message:' || c.number || ':' || j) AS chance, {_time_of("j")} AS us OFFSET 0
            ) AS d
            CROSS JOIN LATERAL (
                SELECT s[1 + {_number("d.chance", 19, 1)}] || ' ' || s[1 + {_number("d.chance", 20, 1)}] AS content
                FROM (SELECT ARRAY[{sentences}] AS s) AS all_of_them OFFSET 0
            ) AS t
            RETURNING id, conversation_id, sequence, sender_id, created_at
        )
        INSERT INTO conversations_event (conversation_id, sequence, kind, subject_sequence, message_id, user_id,
            actor_id, created_at)
        SELECT conversation_id, sequence, 'new_message', sequence, id, NULL, sender_id, created_at FROM written
    """
    yield f"""
        INSERT INTO messaging_receiptmove (conversation_id, user_id, kind, from_sequence, up_to_sequence, moved_at)
        SELECT c.id, member.id, k.kind,
            CASE WHEN j < {RECEIPTS_EVERY} THEN 0 ELSE c.before + j / {RECEIPTS_EVERY} * {RECEIPTS_EVERY} END,
            c.before + 1 + j,
            {_moment(_time_of("j"))} + k.after
        FROM load_conversations AS c CROSS JOIN LATERAL {some}
        CROSS JOIN LATERAL unnest(c.members) WITH ORDINALITY AS member (id, place)
        CROSS JOIN (VALUES ('delivered', interval '1 second'), ('read', interval '5 seconds')) AS k (kind, after)
        WHERE (j % {RECEIPTS_EVERY} = {RECEIPTS_EVERY - 1} OR j = c.size - 1)
        AND NOT (k.kind = 'read' AND j = c.size - 1 AND {_is_behind()})
    """


def participants() -> str:
    """Return the statement that inserts participants, with the counters that follow from the messages."""
    return f"""
        WITH places AS (
            SELECT c.id AS conversation_id, c.type, c.number, c.created_at, c.before, c.size, member.id AS user_id,
                member.place,
                CASE WHEN {_is_behind()} THEN greatest(0, (c.size - 1) / {RECEIPTS_EVERY} * {RECEIPTS_EVERY})
                    ELSE c.size END AS read
            FROM load_conversations AS c CROSS JOIN LATERAL unnest(c.members) WITH ORDINALITY AS member (id, place)
        ), sent AS (
            SELECT p.conversation_id, p.user_id, count(*) AS all_of_them,
                count(*) FILTER (WHERE m.sequence <= p.before + p.read) AS read
            FROM messaging_message AS m JOIN places AS p
            ON p.conversation_id = m.conversation_id AND p.user_id = m.sender_id
            GROUP BY p.conversation_id, p.user_id
        )
        INSERT INTO conversations_participant (conversation_id, user_id, role, can_send_messages, joined_at, left_at,
            history_from, last_read_sequence, last_read_at, last_delivered_sequence, last_delivered_at, sent_count,
            read_message_count, read_sent_count)
        SELECT p.conversation_id, p.user_id,
            CASE WHEN p.type = 'group' AND p.place = 1 THEN 'owner' ELSE 'member' END, true, p.created_at, NULL, 1,
            CASE WHEN p.read > 0 THEN p.before + p.read ELSE 0 END, read.moved_at,
            CASE WHEN p.size > 0 THEN p.before + p.size ELSE 0 END, delivered.moved_at,
            coalesce(s.all_of_them, 0), p.read, coalesce(s.read, 0)
        FROM places AS p
        LEFT JOIN sent AS s USING (conversation_id, user_id)
        LEFT JOIN messaging_receiptmove AS read ON read.conversation_id = p.conversation_id
            AND read.user_id = p.user_id AND read.kind = 'read' AND read.up_to_sequence = p.before + p.read
        LEFT JOIN messaging_receiptmove AS delivered ON delivered.conversation_id = p.conversation_id
            AND delivered.user_id = p.user_id AND delivered.kind = 'delivered'
            AND delivered.up_to_sequence = p.before + p.size
        ORDER BY p.number, p.place
    """


def _conversations(plan: Plan) -> str:
    """Return what plans every conversation: members, number of messages, and how many events come before these.

    Direct conversation number d is of person d and of the one who is 1, 2, 3 ... places further, one more with
    every round through all people: so no pair comes twice.
    """
    people = plan.people
    return f"""
        CREATE TEMPORARY TABLE load_conversations ON COMMIT DROP AS
        SELECT number, id, type, size, before, {_moment("us")} AS created_at, us,
            CASE WHEN size > 0 THEN {_moment(_time_of("size - 1"))} ELSE {_moment("us")} END AS last_at,
            ARRAY(SELECT {_person("n.number", plan)}
                FROM unnest(numbers) WITH ORDINALITY AS n (number, place) ORDER BY n.place) AS members
        FROM (
            SELECT c AS number, us, {_uuid7("us", f"md5('{plan.seed}:conversation:' || c)")} AS id,
                {_shared_out("c + 1", plan)} - {_shared_out("c", plan)} AS size,
                CASE WHEN is_group THEN 'group' ELSE 'direct' END AS type,
                CASE WHEN is_group THEN 2 ELSE 1 END AS before,
                CASE WHEN is_group THEN ARRAY(SELECT (c * 7919 + k) % {people} FROM
                    generate_series(0, least({people}, {SMALLEST_GROUP} + c / {GROUPS_EVERY} % {GROUP_SIZES}) - 1) AS k)
                ELSE ARRAY[d % {people}, (d % {people} + 1 + d / {people}) % {people}] END AS numbers
            FROM generate_series(0::bigint, {plan.conversations - 1}) AS c,
            LATERAL (
                SELECT {BEGAN_US - HOUR_US} + c * {HOUR_US} / {plan.conversations} AS us,
                    c % {GROUPS_EVERY} = 0 AS is_group, c - c / {GROUPS_EVERY} - 1 AS d
            ) AS t
        ) AS c
        ORDER BY number
    """


def _person(number: str, plan: Plan) -> str:
    """Return the id of a person, by number."""
    return _uuid7(_arrival_of(number, plan), f"md5('{plan.seed}:person:' || {number})")


def _arrival_of(number: str, plan: Plan) -> str:
    """Return when a person signed up, in Unix microseconds."""
    return f"({BEGAN_US - 2 * HOUR_US} + {number} * {HOUR_US} / {plan.people})"


def _shared_out(conversations: str, plan: Plan) -> str:
    """Return how many messages the first so many conversations hold together."""
    return f"floor({plan.messages} * sqrt(({conversations})::float8 / {plan.conversations}))::bigint"


def _time_of(message: str) -> str:
    """Return when a message of conversation c (numbered from 0) was written, in Unix microseconds."""
    return f"{BEGAN_US} + floor(({message} + (c.number % 97 + 0.5) / 98)::float8 * {YEAR_US} / c.size)::bigint"


def _is_behind() -> str:
    """Return whether a member of conversation c has messages to read."""
    return f"(c.number + member.place) % {BEHIND_EVERY} = 0"


def _moment(us: str) -> str:
    """Return Unix microseconds as a time."""
    return f"(timestamptz 'epoch' + ({us}) * interval '1 microsecond')"


def _uuid7(us: str, chance: str) -> str:
    """Return a UUIDv7 of a time in Unix microseconds and of 32 hexadecimal digits."""
    digits = f"lpad(to_hex(({us}) / 1000), 12, '0') || '7' || substr({chance}, 1, 3) || '8' || substr({chance}, 4, 15)"
    return f"({digits})::uuid"


def _number(chance: str, start: int, digits: int) -> str:
    """Return some of the hexadecimal digits as a number."""
    return f"('x' || substr({chance}, {start}, {digits}))::bit({digits * 4})::int"
