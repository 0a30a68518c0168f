"""
The endings of mail addresses that exist.

Iterable checks top-level domains against the root zone. Here the two- and three-letter ones are
complete, which catches the usual slips (``.con``, ``.cmo``, ``.ocm``); longer ones are taken on
trust unless they are reserved, because they are many and keep growing.

Source:
    The rule: support.iterable.com article 209082806, documented. The names: IANA root zone, and
    RFC 2606, 6761, 6762, 7686 and 9476 for the reserved ones, documented.
"""

from __future__ import annotations

_RESERVED = (
    "alt arpa corp example home internal invalid lan local localdomain localhost mail onion test"
    " workgroup"
)

_TWO_LETTERS = (
    "ac ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bm bn bo br bs"
    " bt bv bw by bz ca cc cd cf cg ch ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm do dz ec"
    " ee eg er es et eu fi fj fk fm fo fr ga gb gd ge gf gg gh gi gl gm gn gp gq gr gs gt gu gw gy"
    " hk hm hn hr ht hu id ie il im in io iq ir is it je jm jo jp ke kg kh ki km kn kp kr kw ky kz"
    " la lb lc li lk lr ls lt lu lv ly ma mc md me mg mh mk ml mm mn mo mp mq mr ms mt mu mv mw mx"
    " my mz na nc ne nf ng ni nl no np nr nu nz om pa pe pf pg ph pk pl pm pn pr ps pt pw py qa re"
    " ro rs ru rw sa sb sc sd se sg sh si sj sk sl sm sn so sr ss st su sv sx sy sz tc td tf tg th"
    " tj tk tl tm tn to tr tt tv tw tz ua ug uk us uy uz va vc ve vg vi vn vu wf ws ye yt za zm"
    " zw"
)

_THREE_LETTERS = (
    "aaa abb abc aco ads aeg afl aig anz aol app art aws axa bar bbc bbt bcg bcn bet bid bio biz"
    " bms bmw bom boo bot box buy bzh cab cal cam car cat cba cbn ceo cfa cfd com cpa crs dad day"
    " dds dev dhl diy dnp dog dot dtv dvr eat eco edu esq eus fan fit fly foo fox frl ftr fun fyi"
    " gal gap gay gdn gea gle gmo gmx goo gop got gov hbo hiv hkt hot how ibm ice icu ifm inc ing"
    " ink int ist itv jcb jio jll jmp jnj jot joy kfh kia kim kpn krd lat law lds llc llp lol lpl"
    " ltd man map mba med men mil mit mlb mls mma moe moi mom mov msd mtn mtr nab nba nec net new"
    " nfl ngo nhk now nra nrw ntt nyc obi one ong onl ooo org ott ovh pay pet phd pid pin pnc pro"
    " pru pub pwc red ren ril rio rip run rwe sap sas sbi sbs scb sew sex sfr ski sky soy spa srl"
    " stc tab tax tci tdk tel thd tjx top trv tui tvs ubs uno uol ups vet vig vin vip wed win wme"
    " wow wtc wtf xin xxx xyz you yun zip"
)


RESERVED = frozenset(_RESERVED.split())
SHORT = frozenset(f"{_TWO_LETTERS} {_THREE_LETTERS}".split())


def is_top_level(name: str) -> bool:
    """Say whether *name*, in lower case and in its ASCII form, can end a mail address."""
    if len(name) <= 3:
        return name in SHORT
    return name.startswith("xn--") or (name.isalpha() and name not in RESERVED)
