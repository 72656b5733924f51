"""Triangles that part the inside from the outside in a cube of eight voxels, for each of its 256 cases.

The table is data: which triangulation scikit-image 0.26 (BSD-3-Clause) gives for a binary mask at level
0.5, measured case by case. Ambiguous faces, inner vertices and the diagonals of bent polygons are therefore
those of Lewiner's tables, so that areas agree with programs that use them.

References
----------
Lewiner et al., "Efficient implementation of marching cubes' cases with topological guarantees", Journal of
Graphics Tools 8 (2003), https://doi.org/10.1080/10867651.2003.10487582
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: A letter is a place in the cube: its index is 9 k + 3 j + i with k, j, i of 0, 1 or 2 half voxels.
_PLACES = "abcdefghijklmnopqrstuvwxyzA"
#: Case n, a word of three letters per triangle ("-" for none). Bit 4 k + 2 j + i of n is set where that
#: corner lies inside the mask.
_CASES = (
    "- djb lfb djffjl hpd hpbbpj dbpblpfhpfpl hpfplfpjl rhf hdrdjrbfrbrj rhllhb djhjrhjlr frddrp "
    "frbrjbrpj bldlpdlrp rjlpjr jvt bdttdv tlvlfvbjvbvf lftfvtfdv pvhvthjdhjht vtpthptbh "
    "pvjtjvjtljlbfblbfdhdfdhpdpj pvtptlhplfhl rhfvtj bftrtftrvhvrvhd bjhvhjhvrtrvrtl lrhvlhdvhtlv "
    "fjdjftrtftrvpvr rpfptftbftpv jdbvtplptplr pvtlptrpl txl jtdtxdlbdldx txbbxf txjxdjxfd txlpdh "
    "hlblhxpxhxptjtp fhxpxhxptdtptdb xfhjxhpjhxjt xrtrhtfltfth jtlxltlxrlrfhfrfhbdbhbdjbjl "
    "rhxhtxhbt xrhxhdtxdjtd fldtdldtpxptpxr lbftxjrjxjrp btxpbxrpxdbp jtxrjxpjr jvllvx bdldxldvx "
    "jvbvfbvxf dxfvxd xpvpxhlhxhldjdl vxlhvlbhlpvh dbjhpfvfpfvx fhpvfpxfv xrvhvrvhjfjhjfl "
    "lbfdrhrdxvxd hbjxhjvxjhxr xrhdxhvxd xrvpvrjflfjd xnvnlvbvlvbpfpbpfnnrpxrnnfl "
    "xnvxjnjxbrbxbrdndrrpnnpvjdn xrpxpv pzv vjzjbzdpzdzb lfbzvp dpfzfpfzlvlzlvj dhvvhz jbvbzvbhz "
    "dbvlvbvlzfzlzfh hzfzjfjlfzvj phvhfvrzvrvf rzpvpzpvjpjdbdjdbhfhbhfrhrp bphpbvlvbvlzrzl "
    "phdzvrjrvrjl zvrvfrvdf zvrrvfvjfjbf vdbrvblrbvrz rzvjrvlrj tjzzjp pzdzbdztb tlzfzlzfpbpfpbj "
    "ztldzlfdlzdp dhjhtjhzt htbhzt jdbhlflhtzth tlfhtfzth trzrtfjftfjhphj hdpfrbzbrbzt "
    "pbjbphtlzrzl tnztpnptdldtdlhnhllrnnrzphn dfjfzjztjfrz bfrzbrtbz tnznjzdzjzdrbrdrbnnlrtlnnbj "
    "tlrtrz zxpxlptvptpl jdpdjblbjtljltxvxtxvzpzvjpv fzxzfpbpfpbvtvb jtvxpzpxdfdx dtvtdlhldlhxzxh "
    "tvjxlzbzlzbh fhxzxhtdbdtv znhnvhjhvhjftfjftnnxfzxnntv rflfrhphrzprpzvxvzvxtltxrlx "
    "jtvhdplbfrzx zxrvpthtpthb hdptvjzxr rzxvltlvfdfv bflzxrtvj tnbnxbrbxbrdzdrdznnvdtvnnzx "
    "xrztvj xlzlpzljp pzddzbzxbxlb jpbpxbxfbpzx dpzxdzfdx ljxjhxhzxhjd zxlbzlhzb "
    "znhzdndzjxjzjxbnbxxfnnfhdbn zxfzfh zxrlhfhlpjpl rzxphdlbf bnhbrnrbxjxbxjznzjjpnnphrzn hdprzx "
    "fndnrdzdrdzjxjzjxnnljflnnxr lbfxrz bjdxrz zxr xzr djbzrx rfzfbzzblxzl drfrdzjzdzjxlxj "
    "zpxpdxhrxhxd hrbxbrbxjzjxjzp lxrzrxrzprphdhphdfbfdfblflr rfhxzlplzlpj xzffzh hdzjzdzjxbxjxbf "
    "xzlzblzhb jlxhjxzhxjhd pdzdxzdfx pjbxpbfxbzpx zpdzdbxzblxb lxzplzjlp vzjzrjxtjxjr "
    "bxtxbrdrbrdzvzd lbjblfrflxrlrxztzxztvjvtljt xtlzrvfvrvfd phrhpdjdpvjpjvtztvtzxrxzprz "
    "pvztrxrthbht pvzfhrjdblxt fhrvzpxtl hvzvhjfjhjftxtf vhdhvzbftxtf lxtzjvjzbhbz "
    "vndntdldtdlhxhlhxnnzhvznnxt vzptjxdxjxdf xnfnzfpfzfpbvbpbvnntbxtnnvz dbjxtlvzp tlxvzp ltrrtz "
    "zjtjzdrdzdrblbr fbrbzrbtz fdjzfjtzjrfz zptdtptdlhldlhr lbrhrbzjtjzp rfhbpdpbztzb "
    "zntnrtftrtfjhjfjhnnpjzpnnhr ltfthftzh bfldjhthjhtz thbzht hdjthjzht tzlzdldfldzp "
    "zntzlnlzfpfzfpbnbppjnnjtlbn zpdbzdtzb jtzjzp zrvrjvrlj dvbvrbrlbrvz vzrvrfjvfbjf vzrfvrdvf "
    "vzprdhdrjljr hnbnpbvbpbvlzlvlznnrlhrnnzp pvzjdbrfh rfhzpv zhfjzfljfvzj "
    "vndvbnbvlzlvlzfnfzzhnnhdbfn bjvzbvhbz hdvhvz fndfpnpfzlzfzlvnvlljnnjdpvn bflpvz dbjpvz zpv "
    "rxppxv vjxbxjxbrdrbrdp vlxlvbpbvbpfrfp vlxlvjrfpdpf rxhxdhxvd bhjhxjxvjxhr fhrbldxdldxv "
    "vnxvrnrvhjhvhjfnfjjlnnlxrfn hfpfvpfxv phdfjbjfvxvf xvlvhlhblvph vnxnpxhxpxhldlhldnnjlvjnndp "
    "xdfxvd vjbfvbxvf dblxdlvdx vjlvlx tjxjrxjpr tbxbpxprxbdp xtljfbfjrprj "
    "dnfdlnldtptdtpxnxpprnnrflxn rxhhxdxtdtjd hrxthxbht lxtrfhjdb fhrlxt fxhxjhjphjxt "
    "xnfxhnhxptpxptdndttbnnbfhdn bnhnlhxhlhxptpxptnnjpbjnntl lxthdp xtjdxjfxd xtbxbf lxtbjd xtl "
    "vptpltprl tvjpbdbplrlp prftpfbtfptv dnfnjftfjftrvrtrvnnprdpnnvj rlhlvhvdhltv "
    "hnbhjnjhvrvhvrtntrrlnnlbjtn tnbtfnftrvrtrvhnhvvdnndbfhn fhrjtv vpttplphlhfl jtvlbfphd "
    "tvphtpbth jtvdph fltvftdfv bfljtv dbtdtv vjt jrljpr lbdpldrlp rfbjrbprj rfdrdp jdhrjhljr "
    "hrlhlb bjdfhr hrf phflpfjpl flbhdp phbpbj phd jdfjfl flb jdb - "
)


@cache
def cube_triangles() -> tuple[NDArray[np.intp], ...]:
    """Return for each case the triangles (n, 3 corners, 3) in half voxels along k, j and i.

    Examples
    --------
    >>> cube_triangles()[1].tolist()
    [[[0, 1, 0], [1, 0, 0], [0, 0, 1]]]
    """
    found = []
    for word in _CASES.split():
        codes = np.array([_PLACES.index(letter) for letter in word.strip("-")], dtype=np.intp)
        corners = np.stack([codes // 9, codes // 3 % 3, codes % 3], axis=-1)
        found.append(corners.reshape(-1, 3, 3))
    return tuple(found)
