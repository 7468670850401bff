"""What people call looks in French, German, Spanish and Italian, and in the other English: for suggestions alone.

A prompt is never translated in silence: an unknown spelling is named, with the words that the model does know.
"""

from __future__ import annotations

import unicodedata
from functools import cache

_SPELLINGS = {
    "painting": "peinture, tableau, gemälde, malerei, gemalt, pintura, cuadro, pittura, dipinto",
    "drawing": "dessin, zeichnung, gezeichnet, dibujo, disegno",
    "photo": "photographie, fotografie, foto, fotografía",
    "watercolor": "aquarell, wasserfarben, acuarela, acquerello, water colour, water color",
    "gouache": "guache, gouachemalerei, guazzo",
    "oil painting": "peinture à l'huile, huile sur toile, à l'huile, huile, ölgemälde, oelgemaelde, ölmalerei, ölbild, "
    "öl auf leinwand, óleo, al óleo, pintura al óleo, pittura a olio, dipinto a olio, olio su tela",
    "impressionist painting": "impressionnisme, impressionniste, impressionismus, impressionistisch, impresionismo, "
    "impresionista, impressionismo, impressionista",
    "pencil": "bleistift, lápiz, matita",
    "sketch": "croquis, skizze, boceto, schizzo",
    "pencil sketch": "dessin au crayon, crayon de papier, bleistiftzeichnung, bleistiftskizze, dibujo a lápiz, "
    "disegno a matita",
    "colored pencil": "crayon de couleur, crayons de couleur, buntstift, buntstifte, lápices de colores, "
    "matite colorate",
    "ballpoint pen": "stylo bille, stylo à bille, kugelschreiber, bolígrafo, penna a sfera",
    "charcoal": "fusain, kohlezeichnung, zeichenkohle, carboncillo, carboncino",
    "pastel drawing": "pastell, pastello, craie, kreide, tiza",
    "ink drawing": "encre, encre de chine, à l'encre, tusche, tuschezeichnung, tinte, tinta, tinta china, inchiostro",
    "engraving": "gravure, kupferstich, grabado, incisione",
    "etching": "eau-forte, radierung, aguafuerte, acquaforte",
    "comic book": "bande dessinée, comicheft, historieta, tebeo, fumetto, fumetti",
    "cartoon": "dessin animé, zeichentrick, dibujos animados, cartone animato, cartoni animati",
    "pixel art": "art pixel, pixelkunst, arte pixel",
    "stained glass": "vitrail, vitraux, buntglas, glasmalerei, kirchenfenster, vidriera, vitral, vetrata",
    "halftone print": "demi-teinte, rasterdruck, semitono, mezzatinta, half tone",
    "woodcut": "gravure sur bois, xylographie, holzschnitt, xilografía, grabado en madera",
    "linocut": "linogravure, linolschnitt, linóleo",
    "mosaic": "mosaïque, mosaik, mosaico",
    "pointillism": "pointillisme, pointillismus, puntillismo, puntinismo",
    "flat poster": "affiche, plakat, cartel, afiche, locandina",
    "silkscreen": "sérigraphie, siebdruck, serigrafía",
    "risograph": "risographie, risografie, risografía",
    "ukiyo-e print": "estampe japonaise, japanischer holzschnitt, estampa japonesa, stampa giapponese",
    "bronze": "bronce, bronzo",
    "sculpture": "skulptur, escultura, scultura",
    "statue": "estatua, statua, standbild",
    "made of gold": "en or, doré, dorée, vergoldet, aus gold, oro, de oro, d'oro, dorado, dorato",
    "marble sculpture": "marbre, marmor, mármol, marmo",
    "ice sculpture": "glace, en glace, eis, aus eis, hielo, ghiaccio",
    "made of clay": "argile, lehm, arcilla, argilla",
    "plasticine": "pâte à modeler, knete, knetmasse, plastilin, plastilina, modeling clay",
    "made of wood": "bois, en bois, holz, aus holz, madera, legno",
    "porcelain": "porcelaine, porzellan, porcelana, porcellana",
    "made of paper": "papier, papel, carta",
    "paper cut": "papier découpé, scherenschnitt, papel recortado, carta ritagliata",
    "embroidery": "broderie, brodé, stickerei, gestickt, bordado, ricamo",
    "knitted wool": "tricot, tricoté, gestrickt, strick, tejido, lavorato a maglia, maglia",
    "toy bricks": "lego, briques, klötze, bausteine, ladrillos, mattoncini",
    "night": "nuit, nacht, nachts, noche, notte",
    "sunset": "coucher de soleil, sonnenuntergang, abendrot, puesta de sol, atardecer, tramonto",
    "winter": "hiver, invierno, inverno",
    "snow": "neige, schnee, verschneit, nieve, neve",
    "autumn": "automne, herbst, otoño, autunno",
    "fog": "brouillard, brume, nebel, niebla, nebbia",
    "underwater": "sous l'eau, unterwasser, bajo el agua, submarino, sott'acqua",
    "desert": "wüste, desierto, deserto",
    "rain": "pluie, regen, lluvia, pioggia",
    "storm": "orage, tempête, sturm, gewitter, tormenta, tempesta, temporale",
    "northern lights": "aurore boréale, polarlicht, nordlicht, aurora boreal",
    "cherry blossom": "fleurs de cerisier, kirschblüte, kirschblüten, flor de cerezo, fiori di ciliegio",
    "spring": "printemps, frühling, primavera",
    "film noir": "cine negro",
    "black and white": "noir et blanc, en noir et blanc, schwarzweiß, schwarz-weiß, blanco y negro, bianco e nero",
    "grayscale": "greyscale, grey scale, gray scale, grey, gray, nuances de gris, graustufen",
    "vintage": "rétro, nostalgisch",
    "neon lights": "néon, neonlicht, luces de neón, luci al neon",
    "blueprint": "blaupause, bauplan, cianografia, cianotipo, cyanotypie",
    "thermal camera": "caméra thermique, thermique, wärmebild, wärmebildkamera, cámara térmica, termocamera",
    "infrared": "infrarouge, infrarot, infrarrojo, infrarosso, infra-red",
    "vhs tape": "cassette vidéo, videokassette, videocassette, videocinta",
    "duotone": "bichromie, zweifarbig, bicromía, two tone, two-tone",
    "vivid colors": "couleurs vives, kräftige farben, colores vivos, colori vivaci, vivid colour",
    "pale colors": "couleurs pâles, blasse farben, colores pálidos, colori pallidi, pale colour",
    "in red": "rouge, rot, rojo, rosso",
    "in blue": "bleu, blau, azul, blu",
    "in green": "vert, grün, verde",
    "in yellow": "jaune, gelb, amarillo, giallo",
    "in purple": "pourpre, violett, lila, morado, viola",
    "in brown": "marron, braun, marrone",
    "white": "blanc, weiß, blanco, bianco",
    "colors": "couleur, couleurs, farbe, farben, colores, colore, colori, colour",
}
"""What an English prompt says -> the same in other spellings."""


def bare(text: str) -> str:
    """A text without what spellings differ in before they differ in letters: case, accents, ligatures."""
    apart = unicodedata.normalize("NFKD", text.casefold().replace("œ", "oe").replace("æ", "ae").replace("ø", "o"))
    return "".join(sign for sign in apart if not unicodedata.combining(sign))


@cache
def meanings() -> dict[str, str]:
    """Bare spelling, its signs as spaces -> the English prompt."""
    return {
        " ".join(bare(spelling).replace("'", " ").replace("-", " ").split()): english
        for english, spellings in _SPELLINGS.items()
        for spelling in spellings.split(",")
    }
