#!/usr/bin/env python3
"""Checks a Firebreak incident bundle, as bundle.md specifies it (version 1). Needs Python 3.9 and the package `cryptography`.

    python3 verify.py case.json                    # or case.html
    python3 verify.py case.json --trust keys.txt   # lines `OF FINGERPRINT`, as you were given them by another way
    python3 verify.py - < bundles.ndjson           # many: one bundle a line, one JSON answer a line
    python3 verify.py case.json --log FOLDER --log-key NAME+ID+KEY --witness NAME+ID+KEY --older checkpoint
                                                   # and a copy of the transparency log (C2SP tlog-tiles), with or without a bundle

Exit code 0: intact. 1: refused.
"""
import argparse, base64, hashlib, json, re, sys
from decimal import Decimal
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

TEXTS = {
    "form": "The file is not a bundle of this version, or its text was changed.",
    "key-form": "Key {at} is not an Ed25519 key, or is listed twice.",
    "key-not-trusted": "Key {at} ({what}) is not among the keys that you trust.",
    "content-changed": "The content is not what {what} signed.", "order-mismatch": "The order is about something else.",
    "export-forged": "{what} did not sign this bundle.", "no-records": "There are no records.",
    "record-foreign": "Record {at} belongs to another incident.", "record-changed": "Record {at} does not match its hash.",
    "record-order": "Record {at} is missing, duplicated or out of place.",
    "record-forged": "Record {at} is not signed by the cell of {what}.",
    "removal-forged": "Removal {at} is not signed by its person, or is about other records.",
    "removal-unproven": "The content of record {at} is gone, and no two people ordered its removal.",
    "no-checkpoint": "No checkpoint vouches for the records.", "checkpoint-head": "Checkpoint {at} is about other records.",
    "checkpoint-order": "Checkpoint {at} is duplicated or out of place.",
    "checkpoint-forged": "Checkpoint {at} is not signed by the notary.",
    "checkpoint-unlinked": "Checkpoint {at} does not follow from the one before it.",
    "checkpoint-proof": "Checkpoint {at} does not vouch for what it is presented for.",
    "records-cut": "Records are missing at the end: checkpoint {at} vouches for {what}.",
    "records-rewritten": "Record {what} is not the one that checkpoint {at} vouches for.",
    "vote-forged": "The vote of record {at} is not signed by its person or a desk, or is about something else.",
    "remark-forged": "The comment of record {at} is not signed by a desk.",
    "decision-unproven": "The decision of record {at} does not follow from the votes before it.",
    "manifest-unnamed": "Manifest {at} is not named in the records.",
    "manifest-foreign": "Manifest {at} belongs to another incident.",
    "manifest-forged": "Manifest {at} is not signed by the evidence key.",
    "custody-broken": "The custody list of manifest {at} has a gap.",
    "artefact-changed": "Artefact {at} is not listed in any manifest.",
}
ZEROS = "0" * 64

class Refused(Exception):
    def __init__(self, code, at=None, what=""):
        super().__init__(TEXTS[code].replace("{at}", str(at)).replace("{what}", str(what)))
        self.code, self.at = code, at

def must(right, code, at=None, what=""):
    if not right: raise Refused(code, at, what)

# --- canonical JSON (RFC 8785): all numbers are read as IEEE doubles, as JavaScript does ---
def number_text(x):
    if x != x or x in (float("inf"), float("-inf")): raise ValueError("no number")
    if x == 0: return "0"
    digits = Decimal(repr(abs(x))).normalize().as_tuple()
    s, n = "".join(map(str, digits.digits)), len(digits.digits) + digits.exponent
    sign, k = "-" if x < 0 else "", len(s)
    if 0 < n <= 21: return sign + (s + "0" * (n - k) if k <= n else s[:n] + "." + s[n:])
    if -6 < n <= 0: return sign + "0." + "0" * -n + s
    e = ("+" if n > 0 else "-") + str(abs(n - 1))
    return sign + s[0] + ("." + s[1:] if k > 1 else "") + "e" + e

def text_of(value, level=1):
    if value is None or isinstance(value, (str, bool)):
        return json.dumps(value, ensure_ascii=False)  # a lone surrogate has no UTF-8: found below
    if isinstance(value, (int, float)): return number_text(float(value))
    if level > 100: raise ValueError("nested too deep")
    if isinstance(value, list): return "[" + ",".join(text_of(one, level + 1) for one in value) + "]"
    names = sorted(value, key=lambda name: name.encode("utf-16-be", "surrogatepass"))
    return "{" + ",".join(text_of(name) + ":" + text_of(value[name], level + 1) for name in names) + "}"

canonical = lambda value: text_of(value).encode("utf-8")
sha256 = lambda data: hashlib.sha256(data).hexdigest()
digest = lambda value: sha256(canonical(value))
unpack = lambda text: base64.b64decode(text.encode("ascii"))

# --- section 2: the form ---
is_text, is_object, is_list = (lambda v, t=t: isinstance(v, t) for t in (str, dict, list))
is_count = lambda v: isinstance(v, float) and v.is_integer() and 0 <= v <= 9007199254740991
like = lambda pattern: lambda v: is_text(v) and re.fullmatch(pattern, v) is not None
each = lambda right: lambda v: is_list(v) and all(map(right, v))
one_of = lambda *wanted: lambda v: any(type(v) is type(one) and v == one for one in wanted)

def fields(**wanted):
    return lambda v: is_object(v) and v.keys() == wanted.keys() and all(wanted[n](v[n]) for n in wanted)

HASH, KEY_ID = like("[0-9a-f]{64}"), like("[0-9a-f]{16}")
SIGNATURE = like("[A-Za-z0-9+/]{85}[AQgw]==")
TIME = like("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z")
SAID = fields(actor=is_text, body=is_object, salt=like("[0-9a-f]{32}"))
ROW = fields(follows=HASH, hash=HASH, keyId=KEY_ID, signature=SIGNATURE, said=lambda v: v is None or SAID(v), record=fields(
    at=TIME, chain=is_text, content=HASH, kind=is_text, number=is_count))
REMOVAL = fields(keyId=KEY_ID, signature=SIGNATURE, order=fields(at=TIME, chain=is_text, cluster=is_text,
    kind=one_of("records.remove"), person=is_text, reason=is_text, records=each(is_count), removal=is_text, version=one_of(1.0)))
CHECKPOINT = fields(
    header=fields(allHeads=HASH, at=TIME, chains=is_count, moved=HASH, movedCount=is_count, number=is_count,
                  previous=HASH, version=one_of(1.0)),
    keyId=KEY_ID, signature=SIGNATURE,
    proof=fields(head=fields(chain=is_text, hash=HASH, number=is_count), index=is_count, path=each(HASH),
                 tree=one_of("moved", "all")))
BUNDLE = fields(
    format=one_of("firebreak.bundle.v1"),
    content=fields(
        artefacts=each(fields(data=like("(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?"), sha256=HASH)),
        chain=like("incident/[^/]+/(?s:.)+@[^@]+"), checkpoints=each(CHECKPOINT),
        evidence=each(fields(manifest=is_object, sha256=HASH)),
        keys=each(fields(of=like("desk|notary|evidence|(?:cell|person)/(?s:.)+"), spki=like("[A-Za-z0-9+/]{59}="))),
        madeBy=is_text, names=lambda v: is_object(v) and all(map(is_text, v.values())), records=each(ROW),
        removals=each(REMOVAL)),
    export=fields(keyId=KEY_ID, signature=SIGNATURE, order=fields(
        artefacts=each(HASH), at=TIME, bundle=HASH, cluster=is_text, incident=is_text, kind=one_of("incident.export"),
        person=is_text, reason=is_text, run=is_text, version=one_of(1.0))))

def read(data):
    try:
        text = data.decode("utf-8")
        page = text[:15].lower() == "<!doctype html>"
        if page:
            _, inside = text.split('<script id="bundle" type="application/json">', 2)[:2]
            text = inside[:inside.index("</script>")]
        value = json.loads(text, parse_int=float, parse_float=float, parse_constant=lambda name: float("inf"))
        same = canonical(value).decode("utf-8")
        must(text in ((same.replace("<", "\\u003c"),) if page else (same, same + "\n")) and BUNDLE(value), "form")
        return value
    except (ValueError, RecursionError):
        raise Refused("form") from None

# --- section 4: the checks, in their order ---
class Keys:
    def __init__(self, given, trusted):
        self.known, self.shown = [], []
        for i, key in enumerate(given):
            raw, of = unpack(key["spki"]), key["of"]
            must(len(raw) == 44 and raw[:12].hex() == "302a300506032b6570032100" and key not in given[:i], "key-form", i)
            must(trusted is None or (of, sha256(raw)) in trusted, "key-not-trusted", i, of)
            self.known.append((of, sha256(raw)[:16], Ed25519PublicKey.from_public_bytes(raw[12:])))
            self.shown.append({"of": of, "fingerprint": sha256(raw)})

    def signed(self, of, prefix, value, key_id, signature):
        if not SIGNATURE(signature): return False
        data = prefix.encode("ascii") + b"\n" + canonical(value)
        for key in [known for owner, known_id, known in self.known if owner == of and known_id == key_id]:
            try: return key.verify(unpack(signature), data) is None
            except InvalidSignature: pass
        return False

def included(header, proof):
    root, size = (header["moved"], header["movedCount"]) if proof["tree"] == "moved" else (header["allHeads"], header["chains"])
    fn, sn = int(proof["index"]), int(size) - 1
    if fn > sn: return False
    r = hashlib.sha256(b"\0" + canonical(proof["head"])).digest()
    for p in map(bytes.fromhex, proof["path"]):
        if sn == 0: return False
        if fn & 1 or fn == sn:
            r = hashlib.sha256(b"\1" + p + r).digest()
            while not fn & 1 and fn: fn, sn = fn >> 1, sn >> 1
        else: r = hashlib.sha256(b"\1" + r + p).digest()
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and r.hex() == root

def is_question(q):
    return (is_object(q) and is_text(q.get("id")) and is_text(q.get("requester")) and is_object(q.get("incident"))
            and is_list(q.get("levels")) and is_list(q.get("choices")))

def is_vote(v):
    return (is_object(v) and all(is_text(v.get(n)) for n in ("id", "question", "questionDigest", "choice", "person", "via", "at"))
            and is_object(v.get("incident")) and is_text(v["incident"].get("id")) and is_text(v["incident"].get("run")))

def proven(body, asked, votes):
    question = asked.get(body.get("question")) if is_text(body.get("question")) else None
    if question is None: return False
    named = (c for c in question["choices"] if is_object(c) and is_text(c.get("id")) and c["id"] == body.get("choice"))
    choice = next(named, None)
    by = body.get("by")
    if not (choice and is_count(choice.get("quorum")) and each(is_text)(by) and len(set(by)) >= choice["quorum"]): return False
    wanted, actors = digest(question), question.get("actors")
    last = {v["person"]: v["choice"] for v in votes if v["question"] == question["id"] and v["questionDigest"] == wanted}
    return all(last.get(one) == choice["id"] and question["requester"] != "person/" + one
               and not (is_list(actors) and one in actors) for one in by)

def decisions(content, keys):
    asked, votes, partial = {}, [], False
    for place, row in enumerate(content["records"], 1):
        kind, said = row["record"]["kind"], row["said"]
        if said is None:
            partial = partial or kind in ("question.asked", "question.decided", "vote.accepted")
            continue
        body, actor = said["body"], said["actor"]
        for q in (body.get("question"), body.get("asked")):
            if is_question(q): asked[q["id"]] = q
        if kind == "vote.accepted":
            v = body.get("vote")
            must(is_vote(v) and actor == "person/" + v["person"], "vote-forged", place)
            must(v["incident"]["id"] + "@" + v["incident"]["run"] == content["chain"], "vote-forged", place)
            of = "person/" + v["person"] if v["via"] == "cli" else "desk"
            must(keys.signed(of, "firebreak.vote.v1", v, body.get("keyId"), body.get("signature")), "vote-forged", place)
            votes.append(v)
        if kind == "question.comment":
            said = body.get("remark") if is_object(body.get("remark")) else {}
            r = said.get("remark")
            must(is_object(r) and is_text(r.get("person")) and actor == "person/" + r["person"], "remark-forged", place)
            must(keys.signed("desk", "firebreak.remark.v1", r, said.get("keyId"), said.get("signature")), "remark-forged", place)
        if kind == "question.decided" and not partial:
            must(proven(body, asked, votes), "decision-unproven", place)

def verify(data, trusted=None):
    bundle = read(data)
    content, order = bundle["content"], bundle["export"]["order"]
    chain, records, person = content["chain"], content["records"], order["person"]
    (incident, run), cluster, keys = chain.rsplit("@", 1), chain.split("/")[1], Keys(content["keys"], trusted)
    # 3: who exported it
    must(order["bundle"] == digest(content), "content-changed", None, person)
    must((order["incident"], order["run"], order["cluster"]) == (incident, run, cluster)
         and order["artefacts"] == [one["sha256"] for one in content["artefacts"]], "order-mismatch")
    must(keys.signed("person/" + person, "firebreak.order.v1", order, bundle["export"]["keyId"], bundle["export"]["signature"]),
         "export-forged", None, person)
    # 4: records
    must(records, "no-records")
    previous = ZEROS
    for place, row in enumerate(records, 1):
        record, said, value = row["record"], row["said"], {"follows": row["follows"], **row["record"]}
        link = digest({"keyId": row["keyId"], "signature": row["signature"], **value})
        must(record["chain"] == chain, "record-foreign", place)
        must(record["number"] == place, "record-order", place)
        must(said is None or record["content"] == digest(said), "record-changed", place)
        must(row["hash"] == digest({"link": link, "previous": previous}), "record-changed", place)
        good = keys.signed("cell/" + cluster, "firebreak.record.v3", value, row["keyId"], row["signature"])
        must(good, "record-forged", place, cluster)
        previous = row["hash"]
    people, removed = {}, [place for place, row in enumerate(records, 1) if row["said"] is None]
    for i, one in enumerate(content["removals"]):
        o = one["order"]
        good = keys.signed("person/" + o["person"], "firebreak.order.v1", o, one["keyId"], one["signature"])
        must((o["chain"], o["cluster"]) == (chain, cluster) and good, "removal-forged", i)
        people.setdefault(tuple(o["records"]), set()).add(o["person"])
    for place in removed:
        must(any(place in named and len(by) > 1 for named, by in people.items()), "removal-unproven", place)
    # 5: checkpoints
    must(content["checkpoints"], "no-checkpoint")
    before, stated, head = None, None, {"number": 1}
    for i, one in enumerate(content["checkpoints"]):
        header, proof = one["header"], one["proof"]
        n = int(header["number"])
        must(before is None or (n > before["number"] and header["at"] >= before["at"]), "checkpoint-order", n)
        must(keys.signed("notary", "firebreak.checkpoint.v1", header, one["keyId"], one["signature"]), "checkpoint-forged", n)
        if before is not None and n == before["number"] + 1:
            must(header["previous"] == stated, "checkpoint-unlinked", n)
        last = i == len(content["checkpoints"]) - 1
        must(proof["tree"] == ("all" if last else "moved") and included(header, proof), "checkpoint-proof", n)
        must(proof["head"]["chain"] == chain and proof["head"]["number"] >= max(1, head["number"]), "checkpoint-head", n)
        before, stated, head = header, digest({f: one[f] for f in ("header", "keyId", "signature")}), proof["head"]
        m = int(head["number"])
        must(m <= len(records), "records-cut", n, m)
        must(records[m - 1]["hash"] == head["hash"], "records-rewritten", n, m)
    decisions(content, keys)
    # 7 and 8: evidence
    bodies, listed = [text_of((row["said"] or {"body": None})["body"]) for row in records], set()
    for i, one in enumerate(content["evidence"]):
        m = one["manifest"]
        must(one["sha256"] == digest(m) and any('"%s"' % one["sha256"] in body for body in bodies), "manifest-unnamed", i)
        must(m.get("incident") == incident and m.get("run") == run, "manifest-foreign", i)
        unsigned = {name: m[name] for name in m if name != "signature"}
        good = keys.signed("evidence", "firebreak.evidence-manifest.v1", unsigned, m.get("keyId"), m.get("signature"))
        must(good, "manifest-forged", i)
        previous = ZEROS
        must(is_list(m.get("custody")), "custody-broken", i)
        for entry in m["custody"]:
            must(is_object(entry) and entry.get("previous") == previous, "custody-broken", i)
            previous = digest(entry)
        for a in m["artefacts"] if is_list(m.get("artefacts")) else []:
            if is_object(a) and is_text(a.get("sha256")) and is_count(a.get("bytes")): listed.add((a["sha256"], int(a["bytes"])))
    for i, one in enumerate(content["artefacts"]):
        raw = unpack(one["data"])
        must(one["sha256"] == sha256(raw) and (one["sha256"], len(raw)) in listed, "artefact-changed", i)
    named = [a for body in bodies for a in re.findall('"manifestSha256":"([0-9a-f]{64})"', body)]
    there = {one["sha256"] for one in content["evidence"]}
    return {"ok": True, "chain": chain, "records": len(records), "removed": removed, "covered": int(head["number"]),
            "lastCheckpoint": {"number": int(before["number"]), "at": before["at"], "digest": stated},
            "closed": records[-1]["record"]["kind"] == "incident.closed", "exported": {"person": person, "at": order["at"]},
            "keys": keys.shown, "compared": trusted is not None,
            "missingManifests": [a for a in dict.fromkeys(named) if a not in there]}

def answer(data, trusted=None):
    try: return verify(data, trusted)
    except Refused as no:
        return {"ok": False, "code": no.code, **({} if no.at is None else {"at": no.at}), "text": str(no)}

# --- the transparency log: https://c2sp.org/tlog-tiles, tlog-checkpoint and tlog-cosignature ---
class LogRefused(Exception): pass

def require(right, text):
    if not right: raise LogRefused(text)

def note_key(text):
    name, key_id, raw = text.split("+", 2)
    raw = base64.b64decode(raw)
    key_hash = hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4]
    require(len(raw) == 33 and key_hash.hex() == key_id, "%s is not a key: NAME+ID+KEY" % text)
    return {"name": name, "id": key_hash, "public": Ed25519PublicKey.from_public_bytes(raw[1:]), "witness": raw[0] == 4}

def signed_at(note, key):
    """The time of a witness's signature, 0 for a log's own, None if there is no valid one."""
    text, lines = note.rsplit("\n\n", 1)
    for line in lines.splitlines():
        dash, name, signature = (line.split(" ") + ["", ""])[:3]
        raw = base64.b64decode(signature)
        if dash != "\u2014" or name != key["name"] or raw[:4] != key["id"]: continue
        at, rest = (int.from_bytes(raw[4:12], "big"), raw[12:]) if key["witness"] else (0, raw[4:])
        said = ("cosignature/v1\ntime %d\n" % at if key["witness"] else "") + text + "\n"
        try: key["public"].verify(rest, said.encode())
        except InvalidSignature: continue
        return at
    return None

def log_head(note):
    origin, size, root = note.split("\n")[:3]
    return origin, int(size), base64.b64decode(root)

def log_entries(folder, size):
    found = []
    for n in range(0, size, 256):
        digits, width = str(n // 256), min(256, size - n)
        digits = digits.zfill(-(-len(digits) // 3) * 3)
        parts = [digits[i:i + 3] for i in range(0, len(digits), 3)]
        path = "/".join(["x" + one for one in parts[:-1]] + parts[-1:]) + ("" if width == 256 else ".p/%d" % width)
        with open(folder + "/tile/entries/" + path, "rb") as file: data = file.read()
        while data:
            length = int.from_bytes(data[:2], "big")
            found.append(data[2:2 + length])
            data = data[2 + length:]
    require(len(found) == size, "the log does not have its %d entries" % size)
    return found

def log_root(entries):
    row = [hashlib.sha256(b"\0" + one).digest() for one in entries] or [hashlib.sha256(b"").digest()]
    while len(row) > 1:
        pairs = [hashlib.sha256(b"\1" + row[i] + row[i + 1]).digest() for i in range(0, len(row) - 1, 2)]
        row = pairs + row[len(row) - len(row) % 2:]
    return row[0]

def read_text(path):
    with open(path, encoding="utf-8") as file: return file.read()

def verify_log(folder, key, witnesses=(), older=None, headers=()):
    key, note = note_key(key), read_text(folder + "/checkpoint")
    origin, size, root = log_head(note)
    require(origin == key["name"] and signed_at(note, key) is not None, "the log is not signed by %s" % key["name"])
    entries = log_entries(folder, size)
    def same(text, what):
        said, at, hashed = log_head(text)
        require(said == origin and at <= size and log_root(entries[:at]) == hashed, "%s: the log is not what it was at %d" % (what, at))
        return at
    same(note, "checkpoint")
    if older is not None: same(older, "the older checkpoint")
    seen = []
    for one in map(note_key, witnesses):
        try: theirs = note if signed_at(note, one) is not None else read_text(folder + "/witnessed/" + one["id"].hex())
        except FileNotFoundError: theirs = ""
        at = signed_at(theirs, one) if theirs else None
        require(at is not None, "the witness %s has signed nothing" % one["name"])
        seen.append({"name": one["name"], "size": same(theirs, one["name"]), "seconds": at})
    for header in headers:
        n = int(header["number"])
        right = 0 < n <= size and entries[n - 1] == b"firebreak.checkpoint.v1\n" + text_of(header).encode()
        require(right, "checkpoint %d of the bundle is not in the log" % n)
    return {"ok": True, "origin": origin, "size": size, "root": root.hex(), "witnesses": seen}

def answer_log(*asked):
    try: return verify_log(*asked)
    except (LogRefused, OSError, ValueError) as no: return {"ok": False, "text": str(no)}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Checks a Firebreak incident bundle without Firebreak.")
    parser.add_argument("file", nargs="?", help="the bundle; - for many from standard input, one a line", type=argparse.FileType("rb"))
    parser.add_argument("--trust", help="file with lines `OF FINGERPRINT`", type=argparse.FileType(encoding="utf-8"))
    parser.add_argument("--log", help="folder with a copy of the transparency log")
    parser.add_argument("--log-key", help="its key, NAME+ID+KEY")
    parser.add_argument("--witness", help="key of a witness that must have signed it", action="append", default=[])
    parser.add_argument("--older", help="an older file `checkpoint` of the log, which it must contain")
    args = parser.parse_args()
    if args.file is None and args.log is None or (args.log is None) != (args.log_key is None): parser.error("a bundle, or --log and --log-key")
    trust = args.trust and {tuple(line.strip().rsplit(" ", 1)) for line in args.trust if line.strip() and line[0] != "#"}
    if args.file is sys.stdin.buffer:
        for one in args.file: print(json.dumps(answer(one.rstrip(b"\n"), trust)))
        sys.exit(0)
    data = args.file and args.file.read()
    found = answer(data, trust) if args.file else {"ok": True}
    if found["ok"] and args.log:
        headers = [one["header"] for one in read(data)["content"]["checkpoints"]] if args.file else []
        log = answer_log(args.log, args.log_key, args.witness, args.older and read_text(args.older), headers)
        found = {**found, "ok": log["ok"], "log": log}
    print(json.dumps(found, indent=2, ensure_ascii=False))
    sys.exit(0 if found["ok"] else 1)
